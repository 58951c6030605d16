"""Intake: the daemon's requests to what the engine takes. On threads of the runner, several at a time."""

from __future__ import annotations

import logging
import sys
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
from ollapy.errors import InvalidRequest, Unsupported
from ollapy.llama.model import Model
from ollapy.templating import Source, TemplateProcess

from .constraints import Constraints
from .jobs import Jobs
from .limits import context_length, max_tokens
from .media_reader import MediaReader, Reading
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

logger = logging.getLogger(__name__)


class Intake:
    """Renders, tokenises and checks for one loaded model; what cannot be asked of it is an OllapyError."""

    def __init__(self, model: Model, load: Load, templates: TemplateProcess) -> None:
        self._model = model
        self._vocabulary = model.vocabulary
        self._load = load
        self._jobs = Jobs(model, load)
        self._templates = Templates(model, templates)
        self._media = MediaReader(model, load)
        self._visible = lru_cache(maxsize=256)(self._vocabulary.controls_in)
        self._constraints = Constraints(model, self._visible)

    def prepare(self, message: Question) -> Reply | EmbedJob | Rendered | Text:
        """The request as the engine takes it, or its answer where the vocabulary has it."""
        match message:
            case Chat():
                return self._chat(message)
            case Complete():
                return self._completion(message)
            case Embed():
                return self._jobs.embedding(message)
            case Rerank():
                return self._jobs.ranking(message)
            case Tokenize():
                tokens = self._vocabulary.tokenize(
                    message.text, special=message.special, begins=message.begins
                )
                return Text(message.id, message.text, tokens)
            case Detokenize():
                tokens = self._vocabulary.checked("tokens", message.tokens)
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
        has_bos_twice = bool(message.prefix) and self._vocabulary.adds_bos
        tokens = [
            *self._vocabulary.checked("context", message.prefix),
            *prompt.tokens[has_bos_twice:],
        ]
        report = msgspec.structs.replace(prompt.report, prompt_tokens=len(tokens))
        return replace(prompt, tokens=tokens, report=report)

    def _budget(self, message: Chat, form: Format, parser: Parser) -> Budget | None:
        """What ends a thought that grows too long; it needs no more than tags, and so no tools."""
        if message.think_budget is None or not form.end_of_thought:
            return None
        ends = form.ends_of_thought(
            may_call=bool(message.tools) and not message.grammar,
            must_call=message.must_call,
        )
        tokens = [self._vocabulary.tokenize(end, begins=False) for end in ends]
        return Budget(parser, message.think_budget, tokens)

    def _completion(self, message: Complete) -> Reply | Rendered:
        limit, media = self._limit(message.num_ctx), message.media
        reading = self._media.reading(media, [message.prompt]) if media else None
        tokens = self._completion_tokens(message, reading)
        if message.render_only:
            return self._rendered(message.id, tokens)
        sequence = self._sequence(message, tokens, reading, limit, ())
        sequence.constraint = self._constraints.of_completion(message)
        return Reply(sequence, None, ContextReport(limit, len(tokens)), self._text)

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
        self._vocabulary.checked("logit_bias", message.sampling.logit_bias)
        return Sequence(
            message.id,
            [self._vocabulary.decoder_start] if encoded else tokens,
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
        return num_prompt if wanted < 0 else wanted + self._vocabulary.adds_bos

    def _rendered(self, request_id: int, tokens: list[int]) -> Rendered:
        return Rendered(request_id, self._text(tokens), len(tokens))

    def _text(self, tokens: list[int]) -> str:
        """What tokens stand for, all of them; of a picture or sound only that there is one."""
        pieces = (
            self._vocabulary.piece(token) if token >= 0 else b"[media]"
            for token in tokens
            if token >= 0 or begins(token)
        )
        return b"".join(pieces).decode("utf-8", "replace")

    def _limit(self, num_ctx: int | None) -> int:
        most = max_tokens(self._load, self._model)
        return context_length(num_ctx, self._load.num_ctx, most)

    def _completion_tokens(
        self, message: Complete, reading: Reading | None
    ) -> list[int]:
        if reading:
            return reading.tokenize(reading.placed(message.prompt, message.images))
        if message.tokens is not None:
            return self._vocabulary.checked("prompt", message.tokens)
        if message.suffix is None:
            return self._vocabulary.tokenize(message.prompt, special=True)
        if message.template:
            source = Source(message.template, is_go=True)
            if self._templates.traits(source).infill:
                return self._templates.renderer(source).fill(
                    message.prompt, message.suffix
                )
        tokens = self._vocabulary.infill(message.prompt, message.suffix)
        if tokens is None:
            raise Unsupported(
                "this model cannot fill in the middle: its vocabulary has no tokens for it"
            )
        return tokens
