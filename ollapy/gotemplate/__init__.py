"""Go's text/template language, as Ollama's TEMPLATEs are written in it: parsed, looked at and executed."""

from .budget import Budget
from .template import Template

__all__ = ["Budget", "Template"]
