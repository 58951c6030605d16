"""`ollapy doctor`: what of this machine matters to ollapy, and what to do where something is wrong."""

from .examine import examine
from .finding import Finding

__all__ = ["Finding", "examine"]
