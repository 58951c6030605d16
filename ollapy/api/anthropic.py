"""Anthropic's wire types: messages, the events of their streams, and the counting of their tokens.

Unknown fields are ignored, as `cache_control` and `metadata` are: what can be kept of a prompt always is.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .own import OwnFields


class Source(msgspec.Struct, frozen=True):
    """Where an image or a document is, or what is in it."""

    type: str = ""
    data: str | None = None
    content: str | list[RequestBlock] | None = None


class RequestBlock(msgspec.Struct, frozen=True):
    """A part of a message's content, of any type."""

    type: str
    text: str | None = None
    thinking: str | None = None
    source: Source | str | None = None
    title: str | None = None
    context: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    tool_use_id: str | None = None
    tool_name: str | None = None
    content: str | list[RequestBlock] | None = None
    is_error: bool | None = None


class RequestMessage(msgspec.Struct, frozen=True):
    """One turn of a conversation that a client sends."""

    role: str
    content: str | list[RequestBlock] | None = None


class Tool(msgspec.Struct, frozen=True):
    """A tool; of one with a type of its own Anthropic's models know what it takes."""

    name: str | None = None
    description: str | None = None
    input_schema: Any = None
    type: str | None = None
    strict: bool | None = None


class ToolChoice(msgspec.Struct, frozen=True):
    """Whether a tool must be called, and which."""

    type: str = "auto"
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingConfig(msgspec.Struct, frozen=True):
    """Whether to think, and with how many tokens."""

    type: str = "disabled"
    budget_tokens: int | None = None


class OutputFormat(msgspec.Struct, frozen=True):
    """What the answer must be."""

    type: str = ""
    schema: dict[str, Any] | None = None


class OutputConfig(msgspec.Struct, frozen=True):
    """How hard to think, and what the answer must be."""

    effort: str | None = None
    format: OutputFormat | None = None


class CountRequest(OwnFields, frozen=True):
    """`POST /v1/messages/count_tokens`."""

    messages: list[RequestMessage] | None = None
    system: str | list[RequestBlock] | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    mcp_servers: list[Any] | None = None


class MessagesRequest(CountRequest, frozen=True):
    """`POST /v1/messages`."""

    max_tokens: int | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None


class Text(msgspec.Struct, tag="text", frozen=True):
    """What is said."""

    text: str


class Thinking(msgspec.Struct, tag="thinking", frozen=True):
    """What is thought; nobody signs it here."""

    thinking: str
    signature: str = ""


class ToolUse(msgspec.Struct, tag="tool_use", frozen=True):
    """A call that the client is to make."""

    id: str
    name: str
    input: dict[str, Any]


Block = Text | Thinking | ToolUse


class Usage(msgspec.Struct, frozen=True):
    """Counts in tokens; the prompt's that were in memory already are `cache_read_input_tokens` alone."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int
    cache_creation_input_tokens: int = 0


class Message(msgspec.Struct, tag="message", frozen=True, kw_only=True):
    """The answer of `/v1/messages`, and what its stream begins with."""

    id: str
    role: Literal["assistant"] = "assistant"
    model: str
    content: list[Block]
    stop_reason: str | None
    stop_sequence: str | None
    usage: Usage


class TokenCount(msgspec.Struct, frozen=True):
    """The answer of `/v1/messages/count_tokens`."""

    input_tokens: int


class MessageStart(msgspec.Struct, tag="message_start", frozen=True):
    """The first event."""

    message: Message


class Ping(msgspec.Struct, tag="ping", frozen=True):
    """Nothing but a sign of life."""


class BlockStart(msgspec.Struct, tag="content_block_start", frozen=True):
    """A block begins, empty."""

    index: int
    content_block: Block


class TextDelta(msgspec.Struct, tag="text_delta", frozen=True):
    """More of a text."""

    text: str


class ThinkingDelta(msgspec.Struct, tag="thinking_delta", frozen=True):
    """More of a thought."""

    thinking: str


class InputJsonDelta(msgspec.Struct, tag="input_json_delta", frozen=True):
    """More of the JSON of a call's input."""

    partial_json: str


class BlockDelta(msgspec.Struct, tag="content_block_delta", frozen=True):
    """More of a block."""

    index: int
    delta: TextDelta | ThinkingDelta | InputJsonDelta


class BlockStop(msgspec.Struct, tag="content_block_stop", frozen=True):
    """A block is whole."""

    index: int


class Stop(msgspec.Struct, frozen=True):
    """Why the answer ended."""

    stop_reason: str
    stop_sequence: str | None


class MessageDelta(msgspec.Struct, tag="message_delta", frozen=True):
    """The message is whole."""

    delta: Stop
    usage: Usage


class MessageStop(msgspec.Struct, tag="message_stop", frozen=True):
    """The last event."""


class Error(msgspec.Struct, frozen=True):
    """Why a request failed."""

    type: str
    message: str


class ErrorResponse(msgspec.Struct, tag="error", frozen=True):
    """The answer to a request that failed, and the last event of a stream that did."""

    error: Error
    request_id: str


Event = (
    MessageStart
    | Ping
    | BlockStart
    | BlockDelta
    | BlockStop
    | MessageDelta
    | MessageStop
    | ErrorResponse
)
