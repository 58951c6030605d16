"""Intake: the daemon's requests to what the engine takes. On threads of the runner, several at a time."""

from __future__ import annotations

import logging
from functools import cached_property

import msgspec

from ollapy.api.ollama import ContextReport
from ollapy.chat.jinja import ChatTemplate
from ollapy.chat.parser import CLOSE_THINK, OPEN_THINK, Parser
from ollapy.chat.render import Prompt, Renderer, too_long
from ollapy.engine.packer import EmbedJob
from ollapy.engine.sequence import Sequence
from ollapy.errors import InvalidRequest, PromptTooLong, Unsupported
from ollapy.grammar.compiler import Compiler, Vocabulary
from ollapy.grammar.lark import Thought
from ollapy.llama.model import Model

from .protocol import Chat, Complete, Embed, Load, Rendered
from .reply import Reply
from .worker import max_embed_tokens

logger = logging.getLogger(__name__)


class Intake:
    """Renders, tokenises and checks for one loaded model; what cannot be asked of it is an OllapyError."""

    def __init__(self, model: Model, load: Load) -> None:
        self._model = model
        self._load = load
        self._compiler = Compiler(self._vocabulary)

    def prepare(self, message: Chat | Complete | Embed) -> Reply | EmbedJob | Rendered:
        """The request as the engine takes it, or its prompt where that is all that is wanted."""
        match message:
            case Chat():
                return self._chat(message)
            case Complete():
                return self._completion(message)
            case Embed():
                return self._embedding(message)

    def _chat(self, message: Chat) -> Reply | Rendered:
        limit = self._limit(message.num_ctx)
        prompt = self._renderer.fit(
            message.messages,
            message.tools,
            message.think,
            limit=limit,
            truncate=message.truncate,
        )
        report = prompt.report
        if report.dropped_messages:
            logger.warning("prompt truncated id=%d %s", message.id, report)
        # the tokenizer's BOS belongs before everything, not between a context and what follows it
        has_bos_twice = bool(message.prefix) and self._model.adds_bos
        tokens = [*self._checked(message.prefix), *prompt.tokens[has_bos_twice:]]
        report = msgspec.structs.replace(report, prompt_tokens=len(tokens))
        if message.render_only:
            return Rendered(message.id, self._text(tokens))
        parser = self._parser(prompt, tools=bool(message.tools))
        sequence = self._sequence(message, tokens, limit)
        if message.grammar:
            sequence.constraint = self._compiler.constraint(
                message.grammar, self._thought(message, prompt), _prefill(message)
            )
        return Reply(sequence, parser, report)

    def _thought(self, message: Chat, prompt: Prompt) -> Thought | None:
        """What comes before an answer that must be something: the model thinks where it is asked to."""
        if prompt.text.rstrip().endswith(OPEN_THINK):
            return Thought("", CLOSE_THINK)
        able = CLOSE_THINK in (self._model.chat_template or "")
        wanted = able and message.think and not _prefill(message)
        return Thought(OPEN_THINK, CLOSE_THINK) if wanted else None

    def _completion(self, message: Complete) -> Reply | Rendered:
        tokens, limit = self._completion_tokens(message), self._limit(message.num_ctx)
        if message.render_only:
            return Rendered(message.id, self._text(tokens))
        sequence = self._sequence(message, tokens, limit)
        if message.grammar:
            sequence.constraint = self._compiler.constraint(message.grammar)
        return Reply(sequence, None, ContextReport(limit, len(tokens)))

    def _embedding(self, message: Embed) -> EmbedJob:
        most = max_embed_tokens(self._load, self._model)
        limit = _limit(message.num_ctx, most, most)
        inputs = [self._model.tokenize(text, special=False) for text in message.inputs]
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
        )

    def _sequence(
        self, message: Chat | Complete, tokens: list[int], limit: int
    ) -> Sequence:
        if len(tokens) >= limit:
            raise too_long(len(tokens), limit)
        if not tokens:
            raise InvalidRequest(
                "the prompt is empty and the model has no token to begin with"
            )
        encoded = self._model.has_encoder
        return Sequence(
            message.id,
            [self._model.decoder_start] if encoded else tokens,
            message.sampling,
            limit,
            encoder_tokens=tokens if encoded else None,
            is_background=message.is_background,
            num_keep=self._num_keep(message.num_keep, len(tokens)),
        )

    def _num_keep(self, wanted: int | None, num_prompt: int) -> int | None:
        """Tokens that stay when the context shifts, the BOS among them; a negative number is the prompt."""
        if wanted is None:
            return None
        return num_prompt if wanted < 0 else wanted + self._model.adds_bos

    def _text(self, tokens: list[int]) -> str:
        """What a prompt's tokens stand for, all of them."""
        return b"".join(map(self._model.piece, tokens)).decode("utf-8", "replace")

    def _checked(self, tokens: list[int]) -> list[int]:
        """Tokens from outside; one that the vocabulary lacks would fail the whole batch."""
        if not all(0 <= token < self._model.num_vocab for token in tokens):
            raise InvalidRequest(
                "context holds a token that is not in the model's vocabulary"
            )
        return tokens

    def _limit(self, num_ctx: int | None) -> int:
        """Tokens that prompt and answer may have: what was asked, within what model and pool allow."""
        most = min(self._load.num_cells, self._model.num_ctx_train)
        if self._model.has_encoder:  # which reads its prompt in one batch
            most = min(most, self._load.num_batch)
        return _limit(num_ctx, self._load.num_ctx, most)

    def _parser(self, prompt: Prompt, *, tools: bool) -> Parser:
        return Parser(
            thinking=CLOSE_THINK in (self._model.chat_template or ""),
            tools=tools,
            inside=prompt.text.rstrip().endswith(OPEN_THINK),
        )

    def _completion_tokens(self, message: Complete) -> list[int]:
        if message.suffix is None:
            return self._model.tokenize(message.prompt, special=True)
        tokens = self._model.infill(message.prompt, message.suffix)
        if tokens is None:
            raise Unsupported(
                "this model cannot fill in the middle: its vocabulary has no tokens for it"
            )
        return tokens

    def _vocabulary(self) -> Vocabulary:
        model = self._model
        tokens, marks = (
            range(model.num_vocab),
            {OPEN_THINK.encode(), CLOSE_THINK.encode()},
        )
        pieces = model.pieces
        return Vocabulary(
            pieces,
            control=[
                t for t in tokens if not model.is_text(t) and pieces[t] not in marks
            ],
            ends=[t for t in tokens if model.is_end(t)],
        )

    @cached_property
    def _renderer(self) -> Renderer:
        """The model's template, compiled when a chat first needs it."""
        source = self._model.chat_template
        return Renderer(
            ChatTemplate(source) if source else None,
            lambda text: self._model.tokenize(text, special=True),
            bos=self._model.special_text("bos"),
            eos=self._model.special_text("eos"),
            adds_bos=self._model.adds_bos,
        )


def _limit(wanted: int | None, default: int, most: int) -> int:
    """A context's length as a request may have it: what it wants, where that is a length."""
    return min(max(wanted if wanted and wanted > 0 else default, 4), most)


def _prefill(message: Chat) -> str:
    """The part of the answer that the request brings."""
    last = message.messages[-1] if message.messages else None
    is_prefill = last and last.role == "assistant" and not last.tool_calls
    return (last.content or "") if last and is_prefill else ""


def _cut(tokens: list[int], limit: int, model: Model) -> list[int]:
    """A text within a limit, with the end token that the model makes its vector of."""
    if len(tokens) > limit and model.adds_end:
        return [*tokens[: limit - 1], tokens[-1]]
    return tokens[:limit]
