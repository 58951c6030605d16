"""Registries: Ollama's and plain OCI ones, to pull from and to push to."""

from .access import Access
from .credentials import Credentials
from .push import push
from .repository import Repository

__all__ = ["Access", "Credentials", "Repository", "push"]
