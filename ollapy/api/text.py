"""Wire types of ollapy's own routes for text as a model sees it: tokenize, detokenize, render, rerank."""

from __future__ import annotations

from typing import Any

import msgspec

from .ollama import ChatRequest, Request


class TokenizeRequest(Request, frozen=True):
    """`POST /api/tokenize`. `prompt` is another spelling of `content`.

    With `add_special` the model's BOS and the like come around it; control tokens that are spelled out in the
    text are read as such unless `parse_special` is false.
    """

    model: str = ""
    content: str | None = None
    prompt: str | None = None
    add_special: bool | None = None
    parse_special: bool | None = None
    keep_alive: float | str | None = None


class TokenizeResponse(msgspec.Struct, frozen=True):
    """The tokens of a text."""

    model: str
    tokens: list[int]


class DetokenizeRequest(Request, frozen=True):
    """`POST /api/detokenize`."""

    model: str = ""
    tokens: list[int] | None = None
    keep_alive: float | str | None = None


class DetokenizeResponse(msgspec.Struct, frozen=True):
    """The text of tokens; what is no whole character in it is U+FFFD."""

    model: str
    content: str


class RenderRequest(ChatRequest, frozen=True):
    """`POST /api/render`: a request to chat, where it has `messages`, or to generate, whose fields come last here."""

    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    template: str | None = None
    context: list[int] | None = None
    raw: bool | None = None
    images: list[str] | None = None


class RenderResponse(msgspec.Struct, frozen=True):
    """The prompt that a request comes to, its control tokens spelled out, and how many tokens it has."""

    model: str
    prompt: str
    num_tokens: int


class RerankRequest(Request, frozen=True):
    """`POST /api/rerank` and `/v1/rerank`, as Jina and Cohere have it.

    A document is a text, or an object with one under `text`. One that is too long for the model, or has more
    than `max_tokens_per_doc` tokens, is cut, unless `truncate` is false.
    """

    model: str = ""
    query: str | None = None
    documents: list[str | dict[str, Any]] | None = None
    top_n: int | None = None
    return_documents: bool | None = None
    max_tokens_per_doc: int | None = None
    truncate: bool | None = None
    options: dict[str, Any] | None = None
    keep_alive: float | str | None = None
    priority: str | None = None


class Ranked(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much a document has to do with the query, 0 to 1; `index` is its place in the request."""

    index: int
    relevance_score: float
    document: dict[str, str] | None = None


class RerankUsage(msgspec.Struct, frozen=True):
    """Tokens that were read: of every document together with the query."""

    prompt_tokens: int
    total_tokens: int


class RerankResponse(msgspec.Struct, frozen=True):
    """The documents, the most relevant first."""

    model: str
    results: list[Ranked]
    usage: RerankUsage
