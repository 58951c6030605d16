"""The daemon's HTTP API as Python calls. Synchronous; used by the command line."""

from .client import Client

__all__ = ["Client"]
