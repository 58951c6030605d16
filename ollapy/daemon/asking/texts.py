"""What a request asks of texts: their vectors, their order, their tokens; checked. Pure."""

from __future__ import annotations

from ollapy.api.ollama import EmbeddingsRequest, EmbedRequest
from ollapy.api.options import Options
from ollapy.api.text import DetokenizeRequest, RerankRequest, TokenizeRequest
from ollapy.daemon.answers.ranking import text_of
from ollapy.daemon.asking.askable import Askable
from ollapy.daemon.asking.priority import is_background
from ollapy.errors import InvalidRequest, Unsupported
from ollapy.runner.protocol import Detokenize, Embed, Rerank, Tokenize

_MAX_INPUTS = 2_048


def embed(request: EmbedRequest, _model: Askable, chosen: Options) -> Embed | None:
    """What `/api/embed` asks; None where it only wants the model loaded."""
    inputs = _inputs(request.input)
    if len(inputs) > _MAX_INPUTS:
        raise InvalidRequest(
            f"input has {len(inputs)} texts, at most {_MAX_INPUTS} are taken at once"
        )
    if not inputs or inputs == [""]:
        return None
    return Embed(
        inputs=inputs,
        truncate=request.truncate is not False,
        dimensions=min(max(request.dimensions or 0, 0), 2**31),
        num_ctx=chosen.num_ctx,
        is_background=is_background(request, default=True),
    )


def embed_one(
    request: EmbeddingsRequest, model: Askable, chosen: Options
) -> Embed | None:
    """What `/api/embeddings` asks, the older form, which cuts nothing."""
    return embed(EmbedRequest(input=request.prompt, truncate=False), model, chosen)


def rerank(request: RerankRequest, model: Askable, chosen: Options) -> Rerank:
    """What `/api/rerank` asks."""
    if "rerank" not in model.capabilities:
        raise Unsupported(
            f'"{request.model}" does not support rerank, which takes a model made for it'
        )
    if not request.query or not request.documents:
        raise InvalidRequest("query and documents are required")
    if len(request.documents) > _MAX_INPUTS:
        raise InvalidRequest(
            f"documents has {len(request.documents)} entries, at most {_MAX_INPUTS} are taken at once"
        )
    for name in ("top_n", "max_tokens_per_doc"):
        if (getattr(request, name) or 1) < 1:
            raise InvalidRequest(f"{name} must be at least 1")
    return Rerank(
        query=request.query,
        documents=[text_of(document) for document in request.documents],
        max_tokens=request.max_tokens_per_doc,
        truncate=request.truncate is not False,
        num_ctx=chosen.num_ctx,
        is_background=is_background(request, default=True),
    )


def tokenize(request: TokenizeRequest, _model: Askable, _chosen: Options) -> Tokenize:
    """What `/api/tokenize` asks."""
    text = request.content if request.content is not None else request.prompt
    if text is None:
        raise InvalidRequest("content is required")
    return Tokenize(
        text=text,
        special=request.parse_special is not False,
        begins=bool(request.add_special),
    )


def detokenize(
    request: DetokenizeRequest, _model: Askable, _chosen: Options
) -> Detokenize:
    """What `/api/detokenize` asks."""
    if request.tokens is None:
        raise InvalidRequest("tokens is required")
    return Detokenize(tokens=request.tokens)


def _inputs(given: str | list[str | int | list[int]] | None) -> list[str | list[int]]:
    """The texts, or the tokens of texts; a flat list of numbers is one text."""
    if given is None or isinstance(given, str):
        return [] if given is None else [given]
    tokens = [item for item in given if isinstance(item, int)]
    inputs = [item for item in given if not isinstance(item, int)]
    if tokens and inputs:
        raise InvalidRequest("input mixes tokens with texts, give one or the other")
    return [tokens] if tokens else inputs
