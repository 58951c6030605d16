"""Conversations: what was asked and answered, to be gone on from by an id while the daemon runs."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import msgspec

from ollapy.api import ndjson
from ollapy.api.ollama import Message
from ollapy.decoding import msgpack_decoder
from ollapy.errors import NotFound

_MAX_BYTES = 64 * 1024 * 1024
_decode = msgpack_decoder(list[Message])


@dataclass(frozen=True, slots=True)
class _Kept:
    messages: bytes
    response: bytes

    @property
    def size(self) -> int:
        return len(self.messages) + len(self.response)


class Conversations:
    """Kept in memory alone; the ones not used for longest go when there is no more room."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._size = 0

    def keep(self, response_id: str, messages: list[Message], response: object) -> None:
        """Remember a conversation, and the response that was its end."""
        kept = _Kept(msgspec.msgpack.encode(messages), ndjson.encode(response))
        self._kept[response_id] = kept
        self._size += kept.size
        while self._size > self._max_bytes:
            self._size -= self._kept.popitem(last=False)[1].size

    def messages(self, response_id: str) -> list[Message]:
        """The conversation up to and with that response; NotFound where it is not kept."""
        found: list[Message] = _decode(self._find(response_id).messages)
        return found

    def response(self, response_id: str) -> msgspec.Raw:
        """The response as it was answered, in JSON."""
        return msgspec.Raw(self._find(response_id).response)

    def forget(self, response_id: str) -> None:
        """Remember it no longer."""
        self._size -= self._find(response_id).size
        del self._kept[response_id]

    def _find(self, response_id: str) -> _Kept:
        if response_id not in self._kept:
            raise NotFound(
                f"response '{response_id[:80]}' not found: responses are kept in memory for a while unless store "
                "is false; send the conversation as input"
            )
        self._kept.move_to_end(response_id)
        return self._kept[response_id]
