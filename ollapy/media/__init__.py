"""Pictures and sounds as files: which kind they are and how large, told by their first bytes, without decoding any.

A picture's header says how much memory its decoding takes, so that it is looked at before a decoder is.
"""

from .check import MAX_BYTES, check
from .kind import Kind
from .webp import to_png

__all__ = ["MAX_BYTES", "Kind", "check", "to_png"]
