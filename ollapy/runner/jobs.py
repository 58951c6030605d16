"""Jobs: the texts that a request wants vectors or scores for, as the embedder takes them."""

from __future__ import annotations

from ollapy.engine.packer import EmbedJob
from ollapy.errors import InvalidRequest, PromptTooLong, Unsupported
from ollapy.llama.model import Model, Pooling

from .limits import context_length, max_embed_tokens
from .pairs import Pairs
from .protocol import Embed, Load, Rerank


class Jobs:
    """Makes them for one loaded model, from any thread."""

    def __init__(self, model: Model, load: Load) -> None:
        self._model = model
        self._vocabulary = model.vocabulary
        self._load = load

    def embedding(self, message: Embed) -> EmbedJob:
        """Of texts for vectors; PromptTooLong where one is, and is not to be cut."""
        limit = self._limit(message.num_ctx)
        inputs = [self._tokens(given) for given in message.inputs]
        if not message.truncate and any(len(tokens) > limit for tokens in inputs):
            raise PromptTooLong("the input length exceeds the context length")
        if not all(inputs):
            raise InvalidRequest(
                "an input is empty and the model has no token to begin with"
            )
        return EmbedJob(
            message.id,
            [self._cut(tokens, limit) for tokens in inputs],
            message.dimensions,
            is_background=message.is_background,
            adapters=message.adapters,
        )

    def ranking(self, message: Rerank) -> EmbedJob:
        """Of documents, each with the query."""
        if self._model.pooling is not Pooling.RANK:
            raise Unsupported("this model does not rank documents")
        limit, pairs = self._limit(message.num_ctx), Pairs(self._model)
        documents = [
            text if message.max_tokens is None else pairs.cut(text, message.max_tokens)
            for text in message.documents
        ]
        inputs = [
            pairs.tokens(message.query, text, limit, truncate=message.truncate)
            for text in documents
        ]
        return EmbedJob(
            message.id,
            inputs,
            scores=True,
            is_background=message.is_background,
            adapters=message.adapters,
        )

    def _limit(self, num_ctx: int | None) -> int:
        most = max_embed_tokens(self._load, self._model)
        return context_length(num_ctx, most, most)

    def _tokens(self, given: str | list[int]) -> list[int]:
        if isinstance(given, str):
            return self._vocabulary.tokenize(given, special=False)
        return self._vocabulary.checked("input", given)

    def _cut(self, tokens: list[int], limit: int) -> list[int]:
        """A text within a limit, with the end token that the model makes its vector of."""
        if len(tokens) > limit and self._vocabulary.adds_end:
            return [*tokens[: limit - 1], tokens[-1]]
        return tokens[:limit]
