"""Hugging Face: which files of a repository a name means, and how they are come by."""

from .hub import Hub
from .plan import plan

__all__ = ["Hub", "plan"]
