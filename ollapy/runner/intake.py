"""Intake: the daemon's requests to what the engine takes. On threads of the runner, several at a time."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache, partial

import msgspec

from ollapy.api.report import ContextReport
from ollapy.chat.formats import Format
from ollapy.chat.parser import Parser
from ollapy.chat.render import Prompt, too_long
from ollapy.engine.budget import Budget
from ollapy.engine.media import begins
from ollapy.engine.packer import EmbedJob
from ollapy.engine.sequence import Sequence
from ollapy.errors import InvalidRequest, PromptTooLong, Unsupported
from ollapy.llama.model import Model, Pooling
from ollapy.templating import Source, TemplateProcess

from .constraints import Constraints
from .media_reader import MediaReader, Reading
from .pairs import Pairs
from .protocol import (
    Chat,
    Complete,
    Detokenize,
    Embed,
    Load,
    Question,
    Rendered,
    Rerank,
    Text,
    Tokenize,
)
from .reply import Reply
from .templates import Templates
from .worker import max_embed_tokens

logger = logging.getLogger(__name__)


class Intake:
    """Renders, tokenises and checks for one loaded model; what cannot be asked of it is an OllapyError."""

    def __init__(self, model: Model, load: Load, templates: TemplateProcess) -> None:
        self._model = model
        self._load = load
        self._templates = Templates(model, templates)
        self._media = MediaReader(model, load)
        self._visible = lru_cache(maxsize=256)(model.controls_in)
        self._constraints = Constraints(model, self._visible)

    def prepare(self, message: Question) -> Reply | EmbedJob | Rendered | Text:
        """The request as the engine takes it, or its answer where the vocabulary has it."""
        match message:
            case Chat():
                return self._chat(message)
            case Complete():
                return self._completion(message)
            case Embed():
                return self._embedding(message)
            case Rerank():
                return self._ranking(message)
            case Tokenize():
                tokens = self._model.tokenize(
                    message.text, special=message.special, begins=message.begins
                )
                return Text(message.id, message.text, tokens)
            case Detokenize():
                tokens = self._checked("tokens", message.tokens)
                return Text(message.id, self._text(tokens), tokens)

    def _chat(self, message: Chat) -> Reply | Rendered:
        source, limit = self._templates.of(message), self._limit(message.num_ctx)
        traits = self._templates.traits(source)
        form = traits.format
        is_whole = message.render_only and not message.truncate
        reading = self._reading(message)
        prompt = self._prompt(
            message, source, reading, sys.maxsize if is_whole else limit
        )
        if message.render_only:
            return self._rendered(message.id, prompt.tokens)
        new_parser = partial(
            Parser, form, opening=prompt.opening, prefill=prompt.prefill
        )
        parser = new_parser(tools=message.tools or ())
        sequence = self._sequence(message, prompt.tokens, reading, limit, form.markers)
        sequence.budget = self._budget(message, form, new_parser())
        sequence.constraint = self._constraints.of_chat(
            message, traits, parser, prompt.prefill
        )
        return Reply(sequence, parser, prompt.report, self._text)

    def _reading(self, message: Chat) -> Reading | None:
        if message.media is None:
            return None
        said = ((m.content, m.thinking) for m in message.messages)
        texts = (text for pair in said for text in pair if text)
        return self._media.reading(message.media, texts)

    def _prompt(
        self, message: Chat, source: Source | None, reading: Reading | None, limit: int
    ) -> Prompt:
        """The conversation rendered and fitted, after the tokens that the request puts before it."""
        messages = message.messages
        prompt = self._templates.renderer(source, reading).fit(
            [reading.marked(m) for m in messages] if reading else messages,
            message.tools,
            message.think,
            limit=limit,
            truncate=message.truncate,
        )
        if prompt.report.dropped_messages:
            logger.warning("prompt truncated id=%d %s", message.id, prompt.report)
        # the tokenizer's BOS belongs before everything, not between a context and what follows it
        has_bos_twice = bool(message.prefix) and self._model.adds_bos
        tokens = [
            *self._checked("context", message.prefix),
            *prompt.tokens[has_bos_twice:],
        ]
        report = msgspec.structs.replace(prompt.report, prompt_tokens=len(tokens))
        return replace(prompt, tokens=tokens, report=report)

    def _budget(self, message: Chat, form: Format, parser: Parser) -> Budget | None:
        """What ends a thought that grows too long; it needs no more than tags, and so no tools."""
        if message.think_budget is None or not form.end_of_thought:
            return None
        # a call is a message of its own, and what leads to the answer would stand in its place
        headers = form.headers if message.must_call else None
        end = headers.turn if headers else form.end_of_thought
        return Budget(
            parser, message.think_budget, self._model.tokenize(end, begins=False)
        )

    def _completion(self, message: Complete) -> Reply | Rendered:
        limit, media = self._limit(message.num_ctx), message.media
        reading = self._media.reading(media, [message.prompt]) if media else None
        tokens = self._completion_tokens(message, reading)
        if message.render_only:
            return self._rendered(message.id, tokens)
        sequence = self._sequence(message, tokens, reading, limit, ())
        sequence.constraint = self._constraints.of_completion(message)
        return Reply(sequence, None, ContextReport(limit, len(tokens)), self._text)

    def _embedding(self, message: Embed) -> EmbedJob:
        most = max_embed_tokens(self._load, self._model)
        limit = _limit(message.num_ctx, most, most)
        inputs = [self._input(given) for given in message.inputs]
        if not message.truncate and any(len(tokens) > limit for tokens in inputs):
            raise PromptTooLong("the input length exceeds the context length")
        if not all(inputs):
            raise InvalidRequest(
                "an input is empty and the model has no token to begin with"
            )
        return EmbedJob(
            message.id,
            [_cut(tokens, limit, self._model) for tokens in inputs],
            message.dimensions,
            is_background=message.is_background,
            adapters=message.adapters,
        )

    def _input(self, given: str | list[int]) -> list[int]:
        if isinstance(given, str):
            return self._model.tokenize(given, special=False)
        return self._checked("input", given)

    def _ranking(self, message: Rerank) -> EmbedJob:
        if self._model.pooling is not Pooling.RANK:
            raise Unsupported("this model does not rank documents")
        most = max_embed_tokens(self._load, self._model)
        limit, pairs = _limit(message.num_ctx, most, most), Pairs(self._model)
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

    def _sequence(
        self,
        message: Chat | Complete,
        tokens: list[int],
        reading: Reading | None,
        limit: int,
        markers: tuple[str, ...],
    ) -> Sequence:
        if len(tokens) >= limit:
            raise too_long(len(tokens), limit)
        if not tokens:
            raise InvalidRequest(
                "the prompt is empty and the model has no token to begin with"
            )
        encoded = self._model.has_encoder
        self._checked("logit_bias", message.sampling.logit_bias)
        return Sequence(
            message.id,
            [self._model.decoder_start] if encoded else tokens,
            message.sampling,
            limit,
            encoder_tokens=tokens if encoded else None,
            is_background=message.is_background,
            asked_by=message.asked_by,
            adapters=message.adapters,
            visible=self._visible((*markers, *message.sampling.stop)),
            num_keep=self._num_keep(message.num_keep, len(tokens)),
            media=dict(reading.chunks(tokens)) if reading else {},
        )

    def _num_keep(self, wanted: int | None, num_prompt: int) -> int | None:
        """Tokens that stay when the context shifts, the BOS among them; a negative number is the prompt."""
        if wanted is None:
            return None
        return num_prompt if wanted < 0 else wanted + self._model.adds_bos

    def _rendered(self, request_id: int, tokens: list[int]) -> Rendered:
        return Rendered(request_id, self._text(tokens), len(tokens))

    def _text(self, tokens: list[int]) -> str:
        """What tokens stand for, all of them; of a picture or sound only that there is one."""
        pieces = (
            self._model.piece(token) if token >= 0 else b"[media]"
            for token in tokens
            if token >= 0 or begins(token)
        )
        return b"".join(pieces).decode("utf-8", "replace")

    def _checked(self, name: str, tokens: Iterable[int]) -> list[int]:
        """Tokens from outside; one that the vocabulary lacks would fail the whole batch."""
        found = list(tokens)
        if not all(0 <= token < self._model.num_vocab for token in found):
            raise InvalidRequest(
                f"{name} holds a token that is not in the model's vocabulary"
            )
        return found

    def _limit(self, num_ctx: int | None) -> int:
        """Tokens that prompt and answer may have: what was asked, within what model and pool allow."""
        cells = max(self._load.num_cells, self._load.max_cells)
        most = min(cells, self._model.num_ctx_train)
        if self._model.has_encoder:  # which reads its prompt in one batch
            most = min(most, self._load.num_batch)
        return _limit(num_ctx, self._load.num_ctx, most)

    def _completion_tokens(
        self, message: Complete, reading: Reading | None
    ) -> list[int]:
        if reading:
            return reading.tokenize(reading.placed(message.prompt, message.images))
        if message.tokens is not None:
            return self._checked("prompt", message.tokens)
        if message.suffix is None:
            return self._model.tokenize(message.prompt, special=True)
        if message.template:
            source = Source(message.template, is_go=True)
            if self._templates.traits(source).infill:
                return self._templates.renderer(source).fill(
                    message.prompt, message.suffix
                )
        tokens = self._model.infill(message.prompt, message.suffix)
        if tokens is None:
            raise Unsupported(
                "this model cannot fill in the middle: its vocabulary has no tokens for it"
            )
        return tokens


def _limit(wanted: int | None, default: int, most: int) -> int:
    """A context's length as a request may have it: what it wants, where that is a length."""
    return min(max(wanted if wanted and wanted > 0 else default, 4), most)


def _cut(tokens: list[int], limit: int, model: Model) -> list[int]:
    """A text within a limit, with the end token that the model makes its vector of."""
    if len(tokens) > limit and model.adds_end:
        return [*tokens[: limit - 1], tokens[-1]]
    return tokens[:limit]
