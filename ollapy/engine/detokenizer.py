"""Detokenizer: the bytes of tokens, in any pieces, to whole characters."""

from __future__ import annotations

import codecs

_UTF8 = codecs.getincrementaldecoder("utf-8")


class Detokenizer:
    """Holds back the start of a character until its rest arrives; bytes that are no UTF-8 become U+FFFD."""

    def __init__(self) -> None:
        self._decoder = _UTF8(errors="replace")

    def feed(self, piece: bytes) -> str:
        """The characters that `piece` completes, often none."""
        return self._decoder.decode(piece)

    def finish(self) -> str:
        """What an unfinished character at the end comes to."""
        return self._decoder.decode(b"", final=True)
