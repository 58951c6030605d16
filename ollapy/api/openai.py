"""OpenAI's wire types: chat completions, completions, embeddings and models.

Unknown fields are passed over, the log names them, and null is the same as absent. What is UNSET is left out of an answer, what is None is null.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from .own import OwnFields

FINGERPRINT = "fp_ollapy"


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream has beside the answer."""

    include_usage: bool | None = None


class TextRequest(OwnFields, frozen=True):
    """What chat completions and completions share."""

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    logit_bias: dict[str, float] | None = None


class ImageUrl(msgspec.Struct, frozen=True):
    """Where an image is; only `data:` URLs are taken."""

    url: str = ""


class InputAudio(msgspec.Struct, frozen=True):
    """A sound in base64; what it is, its bytes say."""

    data: str = ""
    format: str | None = None


class ContentPart(msgspec.Struct, frozen=True):
    """A part of a message's content."""

    type: str = ""
    text: str | None = None
    image_url: ImageUrl | str | None = None
    input_audio: InputAudio | None = None
    refusal: str | None = None


class FunctionText(msgspec.Struct, frozen=True):
    """A call, its arguments as the text of a JSON object."""

    name: str = ""
    arguments: str | None = None


class CustomText(msgspec.Struct, frozen=True):
    """A call of a custom tool, whose input is a text."""

    name: str = ""
    input: str | None = None


class ToolCall(msgspec.Struct, frozen=True):
    """A call that an assistant made, of a function or a custom tool; `index` is in deltas only."""

    function: FunctionText | UnsetType | None = UNSET
    id: str | None = None
    type: str | None = "function"
    index: int | UnsetType | None = UNSET
    custom: CustomText | UnsetType | None = UNSET

    @property
    def called(self) -> FunctionText | CustomText | None:
        """Whichever it has."""
        return self.function or self.custom or None


class RequestMessage(msgspec.Struct, frozen=True):
    """One turn of a conversation that a client sends."""

    role: str
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class Reasoning(msgspec.Struct, frozen=True):
    """How hard to think, and in Responses what of it to tell."""

    effort: str | None = None
    summary: str | None = None


class JsonSchema(msgspec.Struct, frozen=True):
    """The schema of a structured answer."""

    schema: dict[str, Any] | None = None


class ResponseFormat(msgspec.Struct, frozen=True):
    """What an answer must be. A schema beside `json_object` is llama-server's spelling."""

    type: str = "text"
    json_schema: JsonSchema | None = None
    schema: dict[str, Any] | None = None


class ChatCompletionRequest(TextRequest, frozen=True):
    """`POST /v1/chat/completions`. `think` is Ollama's, for what `reasoning_effort` cannot say."""

    messages: list[RequestMessage] | None = None
    max_completion_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning_effort: str | None = None
    reasoning: Reasoning | None = None
    think: Any = None
    modalities: list[str] | None = None
    functions: Any = None
    function_call: Any = None
    web_search_options: Any = None


class CompletionRequest(TextRequest, frozen=True):
    """`POST /v1/completions`: texts, or tokens of the model's own vocabulary, gone on with as they are."""

    prompt: str | list[str | int | list[int]] | None = None
    suffix: str | None = None
    echo: bool | None = None
    best_of: int | None = None
    logprobs: int | None = None


class EmbeddingRequest(OwnFields, frozen=True):
    """`POST /v1/embeddings`."""

    input: str | list[str | int | list[int]] | None = None
    encoding_format: str | None = None
    dimensions: int | None = None


class PromptDetails(msgspec.Struct, frozen=True):
    """Of the prompt's tokens, those that were in memory already."""

    cached_tokens: int = 0


class CompletionDetails(msgspec.Struct, frozen=True):
    """Of the answer's tokens, those that were thought."""

    reasoning_tokens: int = 0


class Usage(msgspec.Struct, frozen=True):
    """Counts in tokens; the prompt of several choices counts once."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int | UnsetType = UNSET
    prompt_tokens_details: PromptDetails | UnsetType = UNSET
    completion_tokens_details: CompletionDetails | UnsetType = UNSET


class TopLogprob(msgspec.Struct, frozen=True):
    """A candidate for one token."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprob(msgspec.Struct, frozen=True):
    """A token of the answer and its rivals."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TopLogprob]


class Logprobs(msgspec.Struct, frozen=True):
    """The log-probabilities of a chat's answer."""

    content: list[TokenLogprob]
    refusal: None = None


class Delta(msgspec.Struct, frozen=True):
    """What a chunk adds to the message. Thinking is under both names that clients know."""

    role: str | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET


class AnswerMessage(msgspec.Struct, frozen=True):
    """The message of a whole answer; `content` is null where there are only calls."""

    role: str
    content: str | None
    reasoning: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET
    refusal: None = None


class Choice(msgspec.Struct, frozen=True):
    """One of the answers."""

    index: int
    message: AnswerMessage
    finish_reason: str
    logprobs: Logprobs | None = None


class ChunkChoice(msgspec.Struct, frozen=True):
    """What a chunk adds to one of the answers."""

    index: int
    delta: Delta
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `/v1/chat/completions`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    system_fingerprint: str = FINGERPRINT
    choices: list[Choice]
    usage: Usage


class ChatCompletionChunk(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a streamed chat; only the last one may have a usage."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str = FINGERPRINT
    choices: list[ChunkChoice]
    usage: Usage | UnsetType = UNSET


class TextLogprobs(msgspec.Struct, frozen=True):
    """The log-probabilities of a text, in four lists of equal length; offsets are in characters."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class TextChoice(msgspec.Struct, frozen=True):
    """One of the texts, or what an event adds to it."""

    index: int
    text: str
    logprobs: TextLogprobs | None = None
    finish_reason: str | None = None


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `/v1/completions`, and each event of it when it is streamed."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str = FINGERPRINT
    choices: list[TextChoice]
    usage: Usage | UnsetType = UNSET


class Embedding(msgspec.Struct, frozen=True):
    """A vector, as numbers or as base64 of little-endian 32-bit floats."""

    index: int
    embedding: list[float] | str
    object: Literal["embedding"] = "embedding"


class EmbeddingList(msgspec.Struct, frozen=True):
    """The answer of `/v1/embeddings`."""

    data: list[Embedding]
    model: str
    usage: Usage
    object: Literal["list"] = "list"


class ModelObject(msgspec.Struct, frozen=True):
    """A model that may be asked for. The last three fields are Anthropic's, whose clients ask the same route."""

    id: str
    created: int
    owned_by: str
    object: Literal["model"] = "model"
    type: Literal["model"] = "model"
    display_name: str = ""
    created_at: str = ""


class ModelList(msgspec.Struct, frozen=True):
    """The answer of `/v1/models`, all on one page. The last three fields are Anthropic's."""

    data: list[ModelObject]
    object: Literal["list"] = "list"
    has_more: bool = False
    first_id: str | None = None
    last_id: str | None = None


class Error(msgspec.Struct, frozen=True):
    """Why a request failed."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorResponse(msgspec.Struct, frozen=True):
    """The answer to a request that failed, and the last event of a stream that did."""

    error: Error
