"""How families of models write thoughts and tool calls, declared as data."""

from .calls import CALLS, LLAMA_TAG
from .format import Calls, Format, Headers, Pair, Style
from .headers import HEADERS
from .thoughts import DROPPED, THOUGHTS

__all__ = [
    "CALLS",
    "DROPPED",
    "HEADERS",
    "LLAMA_TAG",
    "THOUGHTS",
    "Calls",
    "Format",
    "Headers",
    "Pair",
    "Style",
]
