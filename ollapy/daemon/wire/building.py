"""Building: one of OpenAI's responses as it grows, and the events that tell it. Pure."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from ollapy.api import openai_events as events
from ollapy.api import openai_responses as api
from ollapy.api import sse
from ollapy.api.ollama import ChatResponse, Logprob, Message, ToolCall
from ollapy.api.openai import TokenLogprob
from ollapy.api.openai_events import Event
from ollapy.api.openai_responses import Item, Response, ResponseRequest
from ollapy.decoding import converted
from ollapy.errors import OllapyError

from . import custom_tools, items
from .counts import Counts
from .told import arguments_of, new_id, token_logprobs

E = TypeVar("E", bound=Event)


class Building:
    """A response that grows with the records of an answer, item by item, and the events that tell it."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self._numbers = itertools.count()
        self._has_begun = False
        self._open: api.MessageItem | api.ReasoningItem | None = None
        self._text = ""
        self._logprobs: list[TokenLogprob] = []

    @property
    def message(self) -> Message:
        """What was answered, for the conversation to go on from."""
        found = items.conversation(
            ResponseRequest(input=_inputs(self.response.output)), []
        )
        return found[0] if found else Message("assistant", "")

    def feed(self, record: ChatResponse) -> list[Event]:
        """The events of the next record."""
        return list(self._events(record))

    def fail(self, exc: OllapyError) -> Event:
        """The last event of an answer that failed."""
        error = api.ResponseError("server_error", str(exc))
        response = msgspec.structs.replace(self.response, status="failed", error=error)
        return self._event(events.Failed, response=response)

    def _event(self, kind: type[E], **fields: object) -> E:
        return kind(sequence_number=next(self._numbers), **fields)

    def _events(self, record: ChatResponse) -> Iterator[Event]:
        if not self._has_begun:
            self._has_begun = True
            yield self._event(events.Created, response=self.response)
            yield self._event(events.InProgress, response=self.response)
        if thought := record.message.thinking:
            yield from self._think(thought)
        if text := record.message.content:
            yield from self._say(text, record.logprobs or [])
        for call in record.message.tool_calls or []:
            yield from self._call(call)
        if record.done:
            yield from self._close()
            yield self._finished(record)

    @property
    def _place(self) -> dict[str, object]:
        """Which item the events of a part belong to."""
        assert self._open is not None
        return {"item_id": self._open.id, "output_index": len(self.response.output)}

    def _think(self, thought: str) -> Iterator[Event]:
        if not isinstance(self._open, api.ReasoningItem):
            yield from self._begin(api.ReasoningItem(new_id("rs_"), "in_progress"))
            part = api.SummaryText("")
            yield self._event(events.SummaryPartAdded, part=part, **self._place)
        self._text += thought
        yield self._event(events.SummaryDelta, delta=thought, **self._place)

    def _say(self, text: str, points: list[Logprob]) -> Iterator[Event]:
        if not isinstance(self._open, api.MessageItem):
            yield from self._begin(api.MessageItem(new_id("msg_"), "in_progress"))
            part = api.OutputText("")
            yield self._event(events.ContentPartAdded, part=part, **self._place)
        logprobs = token_logprobs(points)
        self._text += text
        self._logprobs += logprobs
        yield self._event(
            events.TextDelta, delta=text, logprobs=logprobs, **self._place
        )

    def _begin(self, item: api.MessageItem | api.ReasoningItem) -> Iterator[Event]:
        yield from self._close()
        self._open, self._text, self._logprobs = item, "", []
        yield self._added(item)

    def _close(self) -> Iterator[Event]:
        """The end of the item that is open."""
        match self._open:
            case api.MessageItem() as item:
                yield from self._close_message(item)
            case api.ReasoningItem() as item:
                yield from self._close_reasoning(item)
        self._open = None

    def _close_message(self, item: api.MessageItem) -> Iterator[Event]:
        text, logprobs = self._text, self._logprobs
        part = api.OutputText(text, logprobs=logprobs)
        yield self._event(events.TextDone, text=text, logprobs=logprobs, **self._place)
        yield self._event(events.ContentPartDone, part=part, **self._place)
        done = msgspec.structs.replace(item, status="completed", content=[part])
        yield self._done(done)

    def _close_reasoning(self, item: api.ReasoningItem) -> Iterator[Event]:
        text = self._text
        summary = api.SummaryText(text)
        yield self._event(events.SummaryDone, text=text, **self._place)
        yield self._event(events.SummaryPartDone, part=summary, **self._place)
        done = msgspec.structs.replace(
            item, status="completed", summary=[summary], encrypted_content=text
        )
        yield self._done(done)

    def _call(self, call: ToolCall) -> Iterator[Event]:
        yield from self._close()
        if call.function.name in custom_tools.names(self.response.tools):
            yield from self._custom_call(call)
        else:
            yield from self._function_call(call)

    def _custom_call(self, call: ToolCall) -> Iterator[Event]:
        name, text = call.function.name, custom_tools.input_of(call)
        item = api.CustomCallItem(new_id("ctc_"), "in_progress", call.id, name)
        place = {"item_id": item.id, "output_index": len(self.response.output)}
        yield self._added(item)
        yield self._event(events.InputDelta, delta=text, **place)
        yield self._event(events.InputDone, input=text, **place)
        yield self._done(msgspec.structs.replace(item, status="completed", input=text))

    def _function_call(self, call: ToolCall) -> Iterator[Event]:
        name, text = call.function.name, arguments_of(call)
        item = api.CallItem(new_id("fc_"), "in_progress", call.id, name)
        place = {"item_id": item.id, "output_index": len(self.response.output)}
        yield self._added(item)
        yield self._event(events.ArgumentsDelta, delta=text, **place)
        yield self._event(events.ArgumentsDone, name=name, arguments=text, **place)
        yield self._done(
            msgspec.structs.replace(item, status="completed", arguments=text)
        )

    def _added(self, item: Item) -> Event:
        index = len(self.response.output)
        return self._event(events.ItemAdded, output_index=index, item=item)

    def _done(self, item: Item) -> Event:
        index, output = len(self.response.output), [*self.response.output, item]
        self.response = msgspec.structs.replace(self.response, output=output)
        return self._event(events.ItemDone, output_index=index, item=item)

    def _finished(self, record: ChatResponse) -> Event:
        is_cut = record.done_reason == "length"
        cut = api.IncompleteDetails("max_output_tokens") if is_cut else None
        self.response = msgspec.structs.replace(
            self.response,
            status="incomplete" if is_cut else "completed",
            completed_at=int(time.time()),
            incomplete_details=cut,
            usage=_usage(record),
        )
        kind = events.Incomplete if is_cut else events.Completed
        return self._event(kind, response=self.response)


class Events:
    """How the events of a response are written."""

    media_type = sse.MEDIA_TYPE
    beat = sse.BEAT

    def __init__(self, building: Building) -> None:
        self._building = building

    def feed(self, events: list[Event]) -> bytes:
        """Each under its name."""
        return b"".join(map(sse.tagged, events))

    def finish(self) -> bytes:
        """Nothing more: the last event says that it is the last."""
        return b""

    def fail(self, exc: OllapyError) -> bytes:
        """The last event of an answer that failed."""
        return sse.tagged(self._building.fail(exc))


def _inputs(output: list[Item]) -> list[api.InputItem]:
    """Output items as a client would send them back."""
    return converted(msgspec.to_builtins(output), list[api.InputItem])


def _usage(record: ChatResponse) -> api.Usage:
    found = Counts.of(record)
    return api.Usage(
        found.prompt,
        found.answer,
        found.prompt + found.answer,
        api.InputDetails(found.cached),
        api.OutputDetails(found.thought),
    )
