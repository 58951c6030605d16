"""Messages: Anthropic's requests to Ollama's chats, and the records of those to messages and events. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import msgspec

from ollapy.api import anthropic, ollama, sse
from ollapy.api.anthropic import (
    Block,
    BlockDelta,
    BlockStart,
    BlockStop,
    CountRequest,
    Event,
    InputJsonDelta,
    MessageDelta,
    MessagesRequest,
    MessageStart,
    MessageStop,
    Stop,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolUse,
)
from ollapy.api.ollama import ChatRequest, ChatResponse
from ollapy.daemon.asking import bounds
from ollapy.errors import InvalidRequest, OllapyError, Unsupported

from . import asked, blocks, client_tools, failures, ranges
from .counts import Counts

_CHOICES = {"auto": "auto", "none": "none", "any": "required"}


def request(body: MessagesRequest) -> ChatRequest:
    """The chat that makes the message."""
    if not body.max_tokens or body.max_tokens < 1:
        raise InvalidRequest("max_tokens is required and must be positive")
    ranges.check(body, ranges.ANTHROPIC)
    named = {
        "num_ctx": body.num_ctx,
        "num_predict": body.max_tokens,
        "temperature": body.temperature,
        "top_p": body.top_p,
        "top_k": body.top_k,
        "stop": body.stop_sequences,
    }
    return msgspec.structs.replace(
        _chat(body), options=asked.over(body.options, named), format=_format(body)
    )


def counting(body: CountRequest) -> ChatRequest:
    """The chat whose prompt's tokens are to be counted."""
    return _chat(body)


def message(body: MessagesRequest, answer: ChatResponse) -> anthropic.Message:
    """The whole answer, of one record."""
    told = answer.message
    content: list[Block] = [Thinking(told.thinking)] if told.thinking else []
    content += [Text(told.content)] if told.content else []
    content += _calls(answer)
    stop = _stop(body, answer, calls=bool(told.tool_calls))
    return _message_of(body, answer, content, stop.stop_reason, stop.stop_sequence)


class Events:
    """A streamed message: its start, its blocks one after the other, its end."""

    media_type = sse.MEDIA_TYPE
    beat = sse.BEAT

    def __init__(self, body: MessagesRequest) -> None:
        self._body = body
        self._has_begun = False
        self._has_calls = False
        self._open: type[Block] | None = None
        self._index = -1

    def feed(self, record: ChatResponse) -> bytes:
        """The events of the next record."""
        return b"".join(map(sse.tagged, self._events(record)))

    def finish(self) -> bytes:
        """The end of a stream that is whole."""
        return sse.tagged(MessageStop())

    def fail(self, exc: OllapyError) -> bytes:
        """The end of one that is not."""
        return sse.tagged(failures.of_anthropic(exc))

    def _events(self, record: ChatResponse) -> Iterator[Event]:
        if not self._has_begun:
            self._has_begun = True
            yield MessageStart(_message_of(self._body, record, [], None, None))
            yield anthropic.Ping()
        if thought := record.message.thinking:
            yield from self._begin(Thinking(""))
            yield BlockDelta(self._index, ThinkingDelta(thought))
        if text := record.message.content:
            yield from self._begin(Text(""))
            yield BlockDelta(self._index, TextDelta(text))
        for call in _calls(record):
            yield from self._call(call)
        if record.done:
            yield from self._end()
            stop = _stop(self._body, record, calls=self._has_calls)
            yield MessageDelta(stop, _usage(record))

    def _begin(self, block: Block) -> Iterator[Event]:
        """A new block, unless one of its kind is open."""
        if type(block) is not self._open:
            yield from self._end()
            self._open = type(block)
            self._index += 1
            yield BlockStart(self._index, block)

    def _end(self) -> Iterator[Event]:
        if self._open is not None:
            self._open = None
            yield BlockStop(self._index)

    def _call(self, call: ToolUse) -> Iterator[Event]:
        self._has_calls = True
        yield from self._begin(ToolUse(call.id, call.name, {}))
        text = msgspec.json.encode(call.input).decode()
        yield BlockDelta(self._index, InputJsonDelta(text))
        yield from self._end()


def _chat(body: CountRequest) -> ChatRequest:
    shared = asked.own(body)
    if not body.messages:
        raise InvalidRequest("messages is required")
    bounds.check("messages", body.messages, bounds.MAX_MESSAGES)
    bounds.check("tools", body.tools, bounds.MAX_TOOLS)
    if body.mcp_servers:
        raise Unsupported("mcp_servers are not supported, give their tools as tools")
    blocks.tell_ignored(body.messages)
    choice = body.tool_choice or anthropic.ToolChoice()
    return ChatRequest(
        messages=[*blocks.system(body), *blocks.conversation(body.messages)],
        tools=[_tool(tool, f"tools[{i}]") for i, tool in enumerate(body.tools or [])],
        tool_choice=_choice(choice),
        parallel_tool_calls=not choice.disable_parallel_tool_use,
        think=_think(body),
        think_if_able=True,
        **shared,
    )


def _tool(tool: anthropic.Tool, where: str) -> ollama.Tool:
    if tool.type not in (None, "custom"):
        return client_tools.tool(tool.type, tool.name, where)
    return asked.tool(
        tool.name, tool.description, tool.input_schema, where, strict=tool.strict
    )


def _choice(choice: anthropic.ToolChoice) -> Any:
    if choice.type == "tool" and choice.name:
        return {"type": "function", "function": {"name": choice.name}}
    if choice.type not in _CHOICES:
        raise InvalidRequest(
            'tool_choice.type must be "auto", "any", "tool" with a name, or "none"'
        )
    return _CHOICES[choice.type]


def _think(body: CountRequest) -> bool | int | str | None:
    """Not unless that is asked for, as with Anthropic; a budget is the most tokens for it."""
    thinking = body.thinking
    if thinking is not None and thinking.type == "enabled":
        budget = thinking.budget_tokens
        return budget if budget is not None else True
    if thinking is not None and thinking.type == "disabled":
        return False
    effort = body.output_config.effort if body.output_config else None
    if effort is not None:
        return asked.think(effort)
    return thinking is not None


def _format(body: MessagesRequest) -> Any:
    wanted = body.output_format or (body.output_config and body.output_config.format)
    if not isinstance(wanted, anthropic.OutputFormat):
        return None
    if wanted.type != "json_schema" or wanted.schema is None:
        raise InvalidRequest(
            'the output format must be of type "json_schema" and have a schema'
        )
    return wanted.schema


def _calls(record: ChatResponse) -> list[ToolUse]:
    return [
        ToolUse(call.id, call.function.name, call.function.arguments)
        for call in record.message.tool_calls or []
    ]


def _stop(body: MessagesRequest, record: ChatResponse, *, calls: bool) -> Stop:
    """Why it ended; a stop string that is the model's own is the end of its turn."""
    matched = record.ollapy.stop if record.ollapy else ""
    if record.done_reason == "length":
        return Stop("max_tokens", None)
    if calls:
        return Stop("tool_use", None)
    if matched in (body.stop_sequences or []):
        return Stop("stop_sequence", matched)
    return Stop("end_turn", None)


def _usage(record: ChatResponse) -> anthropic.Usage:
    counts = Counts.of(record)
    return anthropic.Usage(counts.prompt - counts.cached, counts.answer, counts.cached)


def _message_of(
    body: MessagesRequest,
    record: ChatResponse,
    content: list[Block],
    stop_reason: str | None,
    stop_sequence: str | None,
) -> anthropic.Message:
    return anthropic.Message(
        id=f"msg_{secrets.token_hex(12)}",
        model=body.model,
        content=content,
        stop_reason=stop_reason,
        stop_sequence=stop_sequence,
        usage=_usage(record),
    )
