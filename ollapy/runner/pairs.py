"""Pairs: a query and a document as the one text that a reranker was trained to read."""

from __future__ import annotations

import re
from math import exp

from ollapy.api.ollama import Message
from ollapy.chat.foreign import tokenized
from ollapy.errors import PromptTooLong
from ollapy.llama.model import Model

_PLACES = re.compile(r"\{(query|document)\}")


class Pairs:
    """One reranker's way to put two texts together: its own template, or the vocabulary's separators."""

    def __init__(self, model: Model) -> None:
        self._vocabulary = model.vocabulary
        self._template = model.rerank_template

    def tokens(
        self, query: str, document: str, limit: int, *, truncate: bool
    ) -> list[int]:
        """At most `limit` tokens; the document is cut to that where `truncate`, else PromptTooLong."""
        tokens = self._together(query, document)
        if len(tokens) <= limit:
            return tokens
        if not truncate:
            raise PromptTooLong(
                f"a document and the query have {len(tokens)} tokens, more than the {limit} that are read at once"
            )
        words = self._read(document)
        while words and len(tokens) > limit:
            del words[limit - len(tokens) :]
            tokens = self._together(query, self._text(words))
        if not words:
            raise PromptTooLong(
                f"the query leaves no room for a document in the {limit} tokens that are read at once"
            )
        return tokens

    def cut(self, document: str, most: int) -> str:
        """A document without what comes after so many of its tokens."""
        words = self._read(document)
        return self._text(words[:most]) if len(words) > most else document

    def _together(self, query: str, document: str) -> list[int]:
        if self._template is None:
            before, between, after = self._vocabulary.joints
            return [
                *before,
                *self._read(query),
                *between,
                *self._read(document),
                *after,
            ]
        said = [Message("user", query), Message("user", document)]
        return tokenized(self._filled(said), said, self._filled, self._vocabulary)

    def _filled(self, said: list[Message]) -> str:
        query, document = (message.content or "" for message in said)
        texts = {"query": query, "document": document}
        return _PLACES.sub(lambda place: texts[place[1]], self._template or "")

    def _read(self, text: str) -> list[int]:
        return self._vocabulary.tokenize(text, special=False, begins=False)

    def _text(self, tokens: list[int]) -> str:
        return b"".join(map(self._vocabulary.piece, tokens)).decode("utf-8", "ignore")


def relevance(outputs: list[float]) -> float:
    """0 to 1: of the one number that a cross-encoder gives, its logistic.

    Of several the first, which is "yes" and which llama.cpp has made a probability.
    """
    score = outputs[0]
    if len(outputs) > 1:
        return score
    # the other way round a large negative number overflows
    return 1 / (1 + exp(-score)) if score >= 0 else 1 - 1 / (1 + exp(score))
