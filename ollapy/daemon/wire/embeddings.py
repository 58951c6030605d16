"""Embeddings, and the list of models, as OpenAI has them. Pure."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence

from ollapy.api.ollama import EmbedRequest, EmbedResponse
from ollapy.api.openai import (
    Embedding,
    EmbeddingList,
    EmbeddingRequest,
    ModelList,
    ModelObject,
    Usage,
)
from ollapy.errors import InvalidRequest
from ollapy.remote import RemoteModel
from ollapy.store import Stored
from ollapy.units import format_time

from . import asked

_FORMATS = ("float", "base64")


def request(body: EmbeddingRequest) -> EmbedRequest:
    """The texts, or the tokens of texts, to make vectors of."""
    if body.encoding_format not in (None, *_FORMATS):
        raise InvalidRequest(
            f"Invalid value for 'encoding_format' = {body.encoding_format[:40]}. "
            f"Supported values: {[*_FORMATS]}."
        )
    given = [body.input] if isinstance(body.input, str) else body.input or []
    if not given or "" in given or [] in given:
        raise InvalidRequest(
            "invalid input: there must be texts, and none of them empty"
        )
    if body.dimensions is not None and body.dimensions < 1:
        raise InvalidRequest("dimensions must be at least 1")
    return EmbedRequest(
        input=body.input,
        dimensions=body.dimensions,
        options=asked.over(body.options, {"num_ctx": body.num_ctx}),
        **asked.own(body),
    )


def answer(body: EmbeddingRequest, found: EmbedResponse) -> EmbeddingList:
    """The vectors in the encoding asked for."""
    longest = len(found.embeddings[0])
    if (body.dimensions or 0) > longest:
        raise InvalidRequest(f"dimensions must be at most {longest} with this model")
    encode = _base64 if body.encoding_format == "base64" else list
    data = [Embedding(i, encode(vector)) for i, vector in enumerate(found.embeddings)]
    count = found.prompt_eval_count
    return EmbeddingList(data, body.model, Usage(count, count))


def model(model: Stored | RemoteModel, name: str) -> ModelObject:
    """A model under the name it was asked by."""
    created = model.modified_at
    return ModelObject(
        name,
        int(created),
        model.name.namespace,
        display_name=name,
        created_at=format_time(created),
    )


def models(found: Sequence[Stored | RemoteModel]) -> ModelList:
    """All models, in the order given."""
    data = [model(one, str(one.name)) for one in found]
    ids = [one.id for one in data]
    return ModelList(data, first_id=ids[0], last_id=ids[-1]) if ids else ModelList([])


def _base64(vector: list[float]) -> str:
    """Little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
