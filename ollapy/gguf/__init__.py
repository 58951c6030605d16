"""A model file's header, read and checked without llama.cpp.

    bytes ──reader──▶ Header(metadata, tensors) ──checks, vocabulary──▶ proof that llama.cpp will not abort on it

Every malformed file is InvalidModel, whatever is wrong with it; the sentence names the key or tensor.
"""

from .adapters import check_adapter
from .arrays import Array
from .header import Header, Tensor, Value
from .reader import read_header
from .split import read_model

__all__ = [
    "Array",
    "Header",
    "Tensor",
    "Value",
    "check_adapter",
    "read_header",
    "read_model",
]
