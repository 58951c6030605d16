"""`ollapy why`: what became of a request, in sentences. Pure functions of its journal entry."""

from .advice import faster
from .sentences import sentences

__all__ = ["faster", "sentences"]
