"""Ranking: what a reranker's scores make of a request's documents. Pure."""

from __future__ import annotations

from typing import Any

from ollapy.api.text import Ranked, RerankRequest, RerankResponse, RerankUsage
from ollapy.errors import InvalidRequest
from ollapy.runner.protocol import Scores


def ranked(request: RerankRequest, answer: Scores) -> RerankResponse:
    """The documents by their scores, as many as were asked for; equal ones stay in their order."""
    texts = request.documents if request.return_documents else None
    order = sorted(enumerate(answer.scores), key=lambda pair: -pair[1])
    results = [
        Ranked(index, score, {"text": text_of(texts[index])} if texts else None)
        for index, score in order[: request.top_n]
    ]
    usage = RerankUsage(answer.num_prompt, answer.num_prompt)
    return RerankResponse(request.model, results, usage)


def text_of(document: str | dict[str, Any]) -> str:
    """The words of a document, which is a text or has one."""
    text = document if isinstance(document, str) else document.get("text")
    if not isinstance(text, str):
        raise InvalidRequest("a document must be a text, or have one under text")
    return text
