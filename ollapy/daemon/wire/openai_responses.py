"""Responses: OpenAI's requests to Ollama's chats. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ollapy.api import openai_responses as api
from ollapy.api.ollama import ChatRequest, Message
from ollapy.api.openai import Reasoning
from ollapy.api.openai_responses import Format, Response, ResponseRequest
from ollapy.errors import InvalidRequest, Unsupported

from . import asked, choices, items, ranges
from .told import new_id


def request(body: ResponseRequest, messages: Sequence[Message]) -> ChatRequest:
    """The chat that makes the response, of a conversation with the instructions before it."""
    _check(body)
    ranges.check(body, ranges.OPENAI)
    named = {
        "num_ctx": body.num_ctx,
        "num_predict": body.max_output_tokens,
        "temperature": body.temperature,
        "top_p": body.top_p,
    }
    system = [Message("system", body.instructions)] if body.instructions else []
    if not messages:
        raise InvalidRequest("input is required")
    choice, tools = choices.chosen(body.tool_choice, items.tools(body))
    truncate = body.truncate if body.truncation is None else body.truncation == "auto"
    return ChatRequest(
        messages=[*system, *messages],
        options=asked.over(body.options, named),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=body.parallel_tool_calls,
        format=items.text_format(body.text),
        think=asked.think(body.reasoning.effort if body.reasoning else None),
        think_if_able=True,
        logprobs=_wants_logprobs(body),
        top_logprobs=body.top_logprobs,
        **{**asked.own(body), "truncate": bool(truncate)},
    )


def begun(body: ResponseRequest) -> Response:
    """A response of which nothing is known but what was asked."""
    return Response(
        id=new_id("resp_"),
        created_at=int(time.time()),
        instructions=body.instructions,
        max_output_tokens=body.max_output_tokens,
        max_tool_calls=body.max_tool_calls,
        metadata=body.metadata or {},
        model=body.model,
        parallel_tool_calls=body.parallel_tool_calls is not False,
        previous_response_id=body.previous_response_id,
        prompt_cache_key=body.prompt_cache_key,
        reasoning=body.reasoning or Reasoning(),
        safety_identifier=body.safety_identifier,
        store=body.store is not False,
        temperature=body.temperature,
        text=api.TextConfig((body.text and body.text.format) or Format("text")),
        tool_choice="auto" if body.tool_choice is None else body.tool_choice,
        tools=body.tools or [],
        top_logprobs=body.top_logprobs or 0,
        top_p=body.top_p,
        truncation=body.truncation or ("auto" if body.truncate else "disabled"),
    )


def _check(body: ResponseRequest) -> None:
    if body.background:
        raise Unsupported(
            "background is not supported, stream the response or wait for it"
        )
    if body.conversation is not None:
        raise Unsupported("conversation is not supported, use previous_response_id")
    if body.prompt is not None:
        raise Unsupported(
            "prompt templates are kept at OpenAI, send instructions and input"
        )
    if body.truncation not in (None, "auto", "disabled"):
        raise InvalidRequest('truncation must be "auto" or "disabled"')


def _wants_logprobs(body: ResponseRequest) -> bool:
    included = "message.output_text.logprobs" in (body.include or [])
    return included or bool(body.top_logprobs)
