"""The catalog: open models by the names that Ollama's users type, as files of Hugging Face's that llama.cpp can load."""

from .catalog import Entry, entries, find
from .search import nearest, search

__all__ = ["Entry", "entries", "find", "nearest", "search"]
