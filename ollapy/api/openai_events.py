"""The events of the streams of OpenAI's Responses."""

from __future__ import annotations

import msgspec

from .openai import TokenLogprob
from .openai_responses import Item, OutputText, Response, SummaryText


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a stream; they are numbered from 0."""

    sequence_number: int


class ResponseEvent(Event, frozen=True, kw_only=True):
    """What has the whole response."""

    response: Response


class Created(ResponseEvent, tag="response.created", frozen=True):
    """The first event."""


class InProgress(ResponseEvent, tag="response.in_progress", frozen=True):
    """The second event."""


class Completed(ResponseEvent, tag="response.completed", frozen=True):
    """The last event."""


class Incomplete(ResponseEvent, tag="response.incomplete", frozen=True):
    """The last event of an answer that was cut."""


class Failed(ResponseEvent, tag="response.failed", frozen=True):
    """The last event of an answer that failed."""


class ItemEvent(Event, frozen=True, kw_only=True):
    """What has a whole item."""

    output_index: int
    item: Item


class ItemAdded(ItemEvent, tag="response.output_item.added", frozen=True):
    """An item begins."""


class ItemDone(ItemEvent, tag="response.output_item.done", frozen=True):
    """An item is whole."""


class PartEvent(Event, frozen=True, kw_only=True):
    """What is of a part of an item."""

    item_id: str
    output_index: int


class ContentPartEvent(PartEvent, frozen=True, kw_only=True):
    """What has a whole part of a message."""

    content_index: int = 0
    part: OutputText


class ContentPartAdded(
    ContentPartEvent, tag="response.content_part.added", frozen=True
):
    """A part of a message begins."""


class ContentPartDone(ContentPartEvent, tag="response.content_part.done", frozen=True):
    """A part of a message is whole."""


class TextDelta(PartEvent, tag="response.output_text.delta", frozen=True, kw_only=True):
    """More of a text."""

    content_index: int = 0
    delta: str
    logprobs: list[TokenLogprob]


class TextDone(PartEvent, tag="response.output_text.done", frozen=True, kw_only=True):
    """A text is whole."""

    content_index: int = 0
    text: str
    logprobs: list[TokenLogprob]


class SummaryPartEvent(PartEvent, frozen=True, kw_only=True):
    """What has a whole part of a thought."""

    summary_index: int = 0
    part: SummaryText


class SummaryPartAdded(
    SummaryPartEvent, tag="response.reasoning_summary_part.added", frozen=True
):
    """A part of a thought begins."""


class SummaryPartDone(
    SummaryPartEvent, tag="response.reasoning_summary_part.done", frozen=True
):
    """A part of a thought is whole."""


class SummaryDelta(
    PartEvent,
    tag="response.reasoning_summary_text.delta",
    frozen=True,
    kw_only=True,
):
    """More of a thought."""

    summary_index: int = 0
    delta: str


class SummaryDone(
    PartEvent,
    tag="response.reasoning_summary_text.done",
    frozen=True,
    kw_only=True,
):
    """A thought is whole."""

    summary_index: int = 0
    text: str


class ArgumentsDelta(
    PartEvent,
    tag="response.function_call_arguments.delta",
    frozen=True,
    kw_only=True,
):
    """More of a call's arguments."""

    delta: str


class ArgumentsDone(
    PartEvent,
    tag="response.function_call_arguments.done",
    frozen=True,
    kw_only=True,
):
    """A call's arguments are whole."""

    name: str
    arguments: str


class InputDelta(
    PartEvent,
    tag="response.custom_tool_call_input.delta",
    frozen=True,
    kw_only=True,
):
    """More of the input of a custom tool's call."""

    delta: str


class InputDone(
    PartEvent,
    tag="response.custom_tool_call_input.done",
    frozen=True,
    kw_only=True,
):
    """The input of a custom tool's call is whole."""

    input: str
