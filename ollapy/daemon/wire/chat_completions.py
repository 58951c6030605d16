"""Chat completions: OpenAI's requests to Ollama's chats, and the records of those to completions and chunks. Pure."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence, Set
from typing import Any

from msgspec import UNSET

from ollapy.api import openai, sse
from ollapy.api.ollama import ChatRequest, ChatResponse, Tool, ToolCall
from ollapy.api.openai import (
    AnswerMessage,
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionRequest,
    Choice,
    ChunkChoice,
    Delta,
    ResponseFormat,
)
from ollapy.daemon.asking import bounds
from ollapy.errors import InvalidRequest, OllapyError, Unsupported

from . import asked, choices, custom_tools, failures, ranges
from .chat_messages import conversation
from .told import arguments_of, new_id, token_logprobs, usage

logger = logging.getLogger(__name__)


def requests(body: ChatCompletionRequest) -> list[ChatRequest]:
    """The chats that make the choices, which differ in their seeds alone."""
    _check(body)
    tokens = body.max_completion_tokens
    options = asked.options(body, body.max_tokens if tokens is None else tokens)
    reasoning = body.reasoning or openai.Reasoning()
    choice, tools = choices.chosen(body.tool_choice, _tools(body))
    shared = {
        **asked.own(body),
        "messages": conversation(body.messages or []),
        "tools": tools,
        "tool_choice": choice,
        "parallel_tool_calls": body.parallel_tool_calls,
        "format": _format(body.response_format),
        "think": asked.think(body.reasoning_effort or reasoning.effort)
        if body.think is None
        else body.think,
        "think_if_able": body.think is None,
        "logprobs": body.logprobs,
        "top_logprobs": body.top_logprobs,
        "logit_bias": body.logit_bias,
    }
    count = asked.num_choices("n", body.n)
    return [
        ChatRequest(options=asked.seeded(options, i), **shared) for i in range(count)
    ]


def completion(
    body: ChatCompletionRequest, answers: Sequence[ChatResponse]
) -> ChatCompletion:
    """The whole answer, of one record a choice."""
    return ChatCompletion(
        id=new_id("chatcmpl-"),
        created=int(time.time()),
        model=body.model,
        choices=[_choice(body, index, answer) for index, answer in enumerate(answers)],
        usage=usage(answers),
    )


class Chunks:
    """A streamed completion: for each choice its role, its pieces and one finish; then the usage, if wanted."""

    media_type = sse.MEDIA_TYPE
    beat = sse.BEAT

    def __init__(self, body: ChatCompletionRequest) -> None:
        self._body = body
        self._id, self._created = new_id("chatcmpl-"), int(time.time())
        self._begun: set[int] = set()
        self._calling: set[int] = set()
        self._finals: dict[int, ChatResponse] = {}

    def feed(self, item: tuple[int, ChatResponse]) -> bytes:
        """The events of a choice's next record."""
        index, record = item
        deltas = list(_deltas(self._body, record))
        if index not in self._begun:
            self._begun.add(index)
            deltas.insert(0, Delta(role="assistant", content=""))
        if record.message.tool_calls:
            self._calling.add(index)
        if record.logprobs and not deltas:
            deltas = [Delta(content="")]
        choices = [ChunkChoice(index, delta) for delta in deltas]
        if record.logprobs:
            choices[-1] = ChunkChoice(index, deltas[-1], logprobs=_logprobs(record))
        if record.done:
            self._finals[index] = record
            reason = _reason(record, calls=index in self._calling)
            choices.append(ChunkChoice(index, Delta(), reason))
        return b"".join(self._event([choice]) for choice in choices)

    def finish(self) -> bytes:
        """The end of a stream that is whole."""
        options = self._body.stream_options
        if not options or not options.include_usage:
            return sse.DONE
        finals = [self._finals[index] for index in sorted(self._finals)]
        return self._event([], usage=usage(finals)) + sse.DONE

    def fail(self, exc: OllapyError) -> bytes:
        """The end of one that is not."""
        return sse.event(failures.of_openai(exc))

    def _event(self, choices: list[ChunkChoice], **more: Any) -> bytes:
        return sse.event(
            ChatCompletionChunk(
                id=self._id,
                created=self._created,
                model=self._body.model,
                choices=choices,
                **more,
            )
        )


def _logprobs(record: ChatResponse) -> openai.Logprobs | None:
    if not record.logprobs:
        return None
    return openai.Logprobs(token_logprobs(record.logprobs))


def _calls(
    body: ChatCompletionRequest, record: ChatResponse, *, numbered: bool
) -> list[openai.ToolCall]:
    """A record's calls, in deltas with their numbers."""
    custom = custom_tools.names(body.tools or [])
    return [
        openai.ToolCall(
            id=call.id,
            index=(call.function.index or 0) if numbered else UNSET,
            **_called(call, custom),
        )
        for call in record.message.tool_calls or []
    ]


def _called(call: ToolCall, custom: Set[str]) -> dict[str, Any]:
    name = call.function.name
    if name not in custom:
        return {"function": openai.FunctionText(name, arguments_of(call))}
    text = openai.CustomText(name, custom_tools.input_of(call))
    return {"type": "custom", "custom": text}


def _check(body: ChatCompletionRequest) -> None:
    if not body.messages:
        raise InvalidRequest("[] is too short - 'messages'")
    bounds.check("messages", body.messages, bounds.MAX_MESSAGES)
    bounds.check("tools", body.tools, bounds.MAX_TOOLS)
    ranges.check(body, ranges.OPENAI)
    ranges.check_bias(body.logit_bias)
    if body.functions or body.function_call:
        raise Unsupported(
            "functions and function_call are not supported, use tools and tool_choice"
        )
    if set(body.modalities or []) - {"text"}:
        raise Unsupported(
            'this server answers in text alone, modalities must be ["text"]'
        )
    if body.top_logprobs and not body.logprobs:
        raise InvalidRequest("top_logprobs needs logprobs to be true")
    if body.web_search_options:
        logger.warning("option ignored name=web_search_options")


def _tools(body: ChatCompletionRequest) -> list[Tool]:
    return [_tool(tool, f"tools[{i}]") for i, tool in enumerate(body.tools or [])]


def _tool(given: Tool, where: str) -> Tool:
    """A function as it was written, or what a custom tool is."""
    kind = given.get("type", "function")
    if kind not in ("function", "custom"):
        raise Unsupported(
            f'{where}: only tools of type "function" and "custom" are supported'
        )
    its = given.get(kind)
    if not isinstance(its, dict):
        raise InvalidRequest(f"{where} has no {kind}")
    if kind == "custom":
        return custom_tools.tool(its, where)
    asked.tool(its.get("name"), None, its.get("parameters"), where)
    return given


def _format(given: ResponseFormat | None) -> Any:
    match given:
        case None | ResponseFormat(type="text"):
            return None
        case ResponseFormat(type="json_object"):
            return given.schema or "json"
        case ResponseFormat(type="json_schema"):
            if given.json_schema is None or given.json_schema.schema is None:
                raise InvalidRequest("response_format has no json_schema.schema")
            return given.json_schema.schema
    raise InvalidRequest(
        'response_format.type must be "text", "json_object" or "json_schema"'
    )


def _choice(body: ChatCompletionRequest, index: int, answer: ChatResponse) -> Choice:
    message, found = answer.message, _calls(body, answer, numbered=False)
    told = AnswerMessage(
        "assistant",
        (message.content or "") or (None if found else ""),
        message.thinking or UNSET,
        message.thinking or UNSET,
        found or UNSET,
    )
    return Choice(index, told, _reason(answer, calls=bool(found)), _logprobs(answer))


def _deltas(body: ChatCompletionRequest, record: ChatResponse) -> Iterable[Delta]:
    """What a record adds, each kind in a chunk of its own."""
    message = record.message
    if message.thinking:
        yield Delta(reasoning=message.thinking, reasoning_content=message.thinking)
    if message.content:
        yield Delta(content=message.content)
    for call in _calls(body, record, numbered=True):
        yield Delta(tool_calls=[call])


def _reason(record: ChatResponse, *, calls: bool) -> str:
    if calls and record.done_reason == "stop":
        return "tool_calls"
    return record.done_reason or "stop"
