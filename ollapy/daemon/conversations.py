"""Conversations: what was asked and answered, to be gone on from by an id while the daemon runs."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import msgspec

from ollapy.api import ndjson
from ollapy.api.ollama import Message
from ollapy.api.openai_responses import Response
from ollapy.decoding import from_json, msgpack_decoder
from ollapy.errors import NotFound

_MAX_BYTES = 64 * 1024 * 1024
_decode = msgpack_decoder(list[Message])


@dataclass(frozen=True, slots=True)
class _Kept:
    messages: bytes
    response: bytes
    items: dict[str, bytes]

    @property
    def size(self) -> int:
        return (
            len(self.messages) + len(self.response) + sum(map(len, self.items.values()))
        )


class Conversations:
    """Kept in memory alone; the ones not used for longest go when there is no more room."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._holders: dict[str, str] = {}  # an item's response
        self._size = 0

    def keep(self, messages: list[Message], response: Response) -> None:
        """Remember a conversation, and the response that was its end."""
        items = {item.id: ndjson.encode(item) for item in response.output}
        kept = _Kept(msgspec.msgpack.encode(messages), ndjson.encode(response), items)
        self._kept[response.id] = kept
        self._holders |= dict.fromkeys(items, response.id)
        self._size += kept.size
        while self._size > self._max_bytes:
            self.forget(next(iter(self._kept)))

    def messages(self, response_id: str) -> list[Message]:
        """The conversation up to and with that response; NotFound where it is not kept."""
        found: list[Message] = _decode(self._find(response_id).messages)
        return found

    def response(self, response_id: str) -> msgspec.Raw:
        """The response as it was answered, in JSON."""
        return msgspec.Raw(self._find(response_id).response)

    def item(self, item_id: str) -> dict[str, Any]:
        """An item of a response that is kept, as it was answered."""
        holder = self._holders.get(item_id)
        if holder is None:
            raise _not_found("item", item_id)
        return from_json(self._find(holder).items[item_id], dict[str, Any])

    def forget(self, response_id: str) -> None:
        """Remember it no longer."""
        gone = self._find(response_id)
        self._size -= gone.size
        del self._kept[response_id]
        for item in gone.items:
            del self._holders[item]

    def _find(self, response_id: str) -> _Kept:
        if response_id not in self._kept:
            raise _not_found("response", response_id)
        self._kept.move_to_end(response_id)
        return self._kept[response_id]


def _not_found(kind: str, name: str) -> NotFound:
    return NotFound(
        f"{kind} '{name[:80]}' not found: responses are kept in memory for a while unless store "
        "is false; send the conversation as input"
    )
