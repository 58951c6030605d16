"""Pulling: a model from wherever its name says, into the store."""

from .pull import Puller

__all__ = ["Puller"]
