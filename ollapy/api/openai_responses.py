"""OpenAI's Responses: requests, items and response objects.

Unknown fields are ignored, null is the same as absent. Fields that only say what is not offered here
(`background`, `service_tier`) are in the answer because clients expect them.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .openai import ImageUrl, Reasoning, TokenLogprob
from .own import OwnFields


class InputPart(msgspec.Struct, frozen=True):
    """A part of an item's content, of any type."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | str | None = None


class InputItem(msgspec.Struct, frozen=True):
    """An item of a conversation, of any type; without one it is a message."""

    type: str | None = None
    id: str | None = None
    role: str | None = None
    content: str | list[InputPart] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    output: str | list[InputPart] | None = None
    summary: list[InputPart] | None = None
    encrypted_content: str | None = None


class Format(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the text must be."""

    type: str
    name: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class TextConfig(msgspec.Struct, frozen=True):
    """What the text must be; how many words it takes is the model's own."""

    format: Format | None = None


class ResponseRequest(OwnFields, frozen=True):
    """`POST /v1/responses`. What is `store`d can be gone on from by its id while ollapy runs."""

    input: str | list[InputItem] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    stream: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    truncation: str | None = None
    metadata: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    background: bool | None = None
    conversation: Any = None
    prompt: Any = None


class OutputText(msgspec.Struct, tag="output_text", frozen=True):
    """What is said."""

    text: str
    annotations: list[Any] = []
    logprobs: list[TokenLogprob] = []


class SummaryText(msgspec.Struct, tag="summary_text", frozen=True):
    """What was thought; all of it."""

    text: str


class MessageItem(msgspec.Struct, tag="message", frozen=True):
    """A message of the answer."""

    id: str
    status: str
    content: list[OutputText] = []
    role: Literal["assistant"] = "assistant"


class ReasoningItem(msgspec.Struct, tag="reasoning", frozen=True):
    """A thought of the answer; `encrypted_content` is its text, for clients that send that back alone."""

    id: str
    status: str
    summary: list[SummaryText] = []
    encrypted_content: str | None = None


class CallItem(msgspec.Struct, tag="function_call", frozen=True):
    """A call that the client is to make."""

    id: str
    status: str
    call_id: str
    name: str
    arguments: str = ""


class CustomCallItem(msgspec.Struct, tag="custom_tool_call", frozen=True):
    """A call of a custom tool, whose input is a text."""

    id: str
    status: str
    call_id: str
    name: str
    input: str = ""


Item = MessageItem | ReasoningItem | CallItem | CustomCallItem


class InputDetails(msgspec.Struct, frozen=True):
    """Of the input's tokens, those that were in memory already."""

    cached_tokens: int


class OutputDetails(msgspec.Struct, frozen=True):
    """Of the output's tokens, those that were thought."""

    reasoning_tokens: int


class Usage(msgspec.Struct, frozen=True):
    """Counts in tokens."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: InputDetails
    output_tokens_details: OutputDetails


class IncompleteDetails(msgspec.Struct, frozen=True):
    """Why there is no more."""

    reason: str


class ResponseError(msgspec.Struct, frozen=True):
    """Why there is no answer, or no more of it."""

    code: str
    message: str


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `/v1/responses`, and what the first and last events of its stream have."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    completed_at: int | None = None
    status: str = "in_progress"
    background: bool = False
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: dict[str, str]
    model: str
    output: list[Item] = []
    parallel_tool_calls: bool
    previous_response_id: str | None
    prompt_cache_key: str | None
    reasoning: Reasoning
    safety_identifier: str | None
    service_tier: str = "default"
    store: bool
    temperature: float | None
    text: TextConfig
    tool_choice: Any
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float | None
    truncation: str
    usage: Usage | None = None


class InputTokens(msgspec.Struct, frozen=True):
    """The answer of `/v1/responses/input_tokens`."""

    input_tokens: int
    object: Literal["response.input_tokens"] = "response.input_tokens"


class Deleted(msgspec.Struct, frozen=True):
    """The answer to a DELETE."""

    id: str
    object: Literal["response"] = "response"
    deleted: bool = True
