"""Service: the daemon's requests to sequences, and what the engine makes of them to frames.

Everything here runs on the runner's event loop; rendering and tokenising go to threads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import msgspec

from ollapy.api.ollama import ContextReport
from ollapy.api.options import SamplingParams
from ollapy.chat.jinja import ChatTemplate
from ollapy.chat.parser import CLOSE_THINK, OPEN_THINK, Parser
from ollapy.chat.render import Prompt, Renderer, too_long
from ollapy.engine.embedder import EmbedJob
from ollapy.engine.engine import Output
from ollapy.engine.sequence import Sequence
from ollapy.errors import InvalidRequest, OllapyError, PromptTooLong, Unsupported
from ollapy.llama.model import Model

from .protocol import (
    Cancel,
    Chat,
    Chunk,
    Complete,
    Done,
    Embed,
    Embeddings,
    Failed,
    FromRunner,
    GetStats,
    Load,
    Ready,
    ToRunner,
    Usage,
)
from .worker import MAX_EMBED_TOKENS, EngineThread, Event

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Answer:
    """A sequence under way and how its text is read; no parser where the text is passed as it is."""

    sequence: Sequence
    parser: Parser | None
    report: ContextReport


class Service:
    """Serves one model over frames. `send` writes one frame to the daemon."""

    def __init__(self, send: Callable[[FromRunner], None]) -> None:
        self._send = send
        self._answers: dict[int, _Answer] = {}
        self._jobs: set[int] = set()
        self._preparing: dict[int, asyncio.Task[None]] = {}

    def receive(self, message: ToRunner) -> None:
        """Act on one message of the daemon."""
        match message:
            case Load():
                self._load = message
                self._thread = EngineThread(message, self._on_event)
            case Cancel():
                self._cancel(message.id)
            case GetStats():
                self._thread.report(message.id)
            case _:
                task = asyncio.create_task(self._start(message))
                self._preparing[message.id] = task
                task.add_done_callback(lambda _: self._preparing.pop(message.id, None))

    def _cancel(self, request_id: int) -> None:
        if task := self._preparing.get(request_id):
            task.cancel()
        if self._answers.pop(request_id, None) or request_id in self._jobs:
            self._jobs.discard(request_id)
            self._thread.cancel(request_id)

    async def _start(self, message: Chat | Complete | Embed) -> None:
        """Bring a request to the engine, or answer why it cannot be."""
        try:
            match message:
                case Chat():
                    await self._start_chat(message)
                case Complete():
                    await self._start_completion(message)
                case Embed():
                    await self._start_embedding(message)
        except OllapyError as exc:
            self._fail(message.id, exc)
        except Exception:
            logger.exception("request failed")
            self._fail(
                message.id,
                OllapyError("the request could not be prepared, see the daemon's log"),
            )

    async def _start_chat(self, message: Chat) -> None:
        limit = self._limit(message.num_ctx)
        prompt = await asyncio.to_thread(
            lambda: self._renderer.fit(
                message.messages,
                message.tools,
                message.think,
                limit=limit,
                truncate=message.truncate,
            )
        )
        report = prompt.report
        if report.dropped_messages:
            logger.warning("prompt truncated id=%d %s", message.id, report)
        # the tokenizer's BOS belongs before everything, not between a context and what follows it
        has_bos_twice = bool(message.prefix) and self._model.adds_bos
        tokens = [*self._checked(message.prefix), *prompt.tokens[has_bos_twice:]]
        if len(tokens) >= limit:
            raise too_long(len(tokens), limit)
        report = msgspec.structs.replace(report, prompt_tokens=len(tokens))
        parser = self._parser(prompt, tools=bool(message.tools))
        self._add(message.id, tokens, message.sampling, report, parser)

    async def _start_completion(self, message: Complete) -> None:
        tokens = await asyncio.to_thread(self._completion_tokens, message)
        report = ContextReport(
            limit=self._limit(message.num_ctx), prompt_tokens=len(tokens)
        )
        if len(tokens) >= report.limit:
            raise too_long(len(tokens), report.limit)
        self._add(message.id, tokens, message.sampling, report, None)

    async def _start_embedding(self, message: Embed) -> None:
        inputs = await asyncio.to_thread(self._embedding_tokens, message)
        self._jobs.add(message.id)
        self._thread.embed(EmbedJob(message.id, inputs, message.dimensions))

    def _add(
        self,
        request_id: int,
        tokens: list[int],
        sampling: SamplingParams,
        report: ContextReport,
        parser: Parser | None,
    ) -> None:
        if not tokens:
            raise InvalidRequest(
                "the prompt is empty and the model has no token to begin with"
            )
        sequence = Sequence(request_id, tokens, sampling, report.limit)
        self._answers[request_id] = _Answer(sequence, parser, report)
        self._thread.add(sequence)

    def _checked(self, tokens: list[int]) -> list[int]:
        """Tokens from outside; one that the vocabulary lacks would fail the whole batch."""
        if not all(0 <= token < self._model.num_vocab for token in tokens):
            raise InvalidRequest(
                "context holds a token that is not in the model's vocabulary"
            )
        return tokens

    def _limit(self, num_ctx: int | None) -> int:
        """Tokens that prompt and answer may have: what was asked, within what model and pool allow."""
        return _limit(
            num_ctx,
            self._load.num_ctx,
            min(self._load.num_cells, self._model.num_ctx_train),
        )

    def _parser(self, prompt: Prompt, *, tools: bool) -> Parser:
        return Parser(
            thinking=CLOSE_THINK in (self._model.chat_template or ""),
            tools=tools,
            inside=prompt.text.rstrip().endswith(OPEN_THINK),
        )

    def _completion_tokens(self, message: Complete) -> list[int]:
        model = self._model
        if message.suffix is None:
            return model.tokenize(message.prompt, special=True)
        if model.infill_tokens is None:
            raise Unsupported(
                "this model cannot fill in the middle: its vocabulary has no tokens for it"
            )
        prefix, suffix, middle = model.infill_tokens
        return [
            *(prefix, *model.tokenize(message.prompt, special=False)),
            *(suffix, *model.tokenize(message.suffix, special=False)),
            middle,
        ]

    def _embedding_tokens(self, message: Embed) -> list[list[int]]:
        most = min(MAX_EMBED_TOKENS, self._model.num_ctx_train)
        limit = _limit(message.num_ctx, most, most)
        inputs = [self._model.tokenize(text, special=False) for text in message.inputs]
        if not message.truncate and any(len(tokens) > limit for tokens in inputs):
            raise PromptTooLong("the input length exceeds the context length")
        if not all(inputs):
            raise InvalidRequest(
                "an input is empty and the model has no token to begin with"
            )
        return [tokens[:limit] for tokens in inputs]

    # From the engine:

    def _on_event(self, event: Event) -> None:
        if not isinstance(event, list):
            if isinstance(event, Ready):
                assert self._thread.model is not None
                self._model: Model = self._thread.model
            self._send(event)
            return
        for item in event:
            if isinstance(item, Output):
                self._on_output(item)
            elif item.id in self._jobs:
                self._on_job(item)

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

    def _on_output(self, output: Output) -> None:
        request_id = output.sequence.id
        answer = self._answers.get(request_id)
        if answer is None:  # cancelled while this was on its way
            return
        if output.error:
            self._fail(request_id, output.error)
            return
        self._send_chunk(answer, output)
        if output.is_last:
            del self._answers[request_id]
            self._send(_done(answer))

    def _send_chunk(self, answer: _Answer, output: Output) -> None:
        logprobs = [output.logprob] if output.logprob else []
        if answer.parser is None:
            chunk = Chunk(output.sequence.id, output.text, logprobs=logprobs)
        else:
            parsed = answer.parser.feed(output.text)
            if output.is_last:
                parsed += answer.parser.finish()
            chunk = Chunk(
                output.sequence.id,
                parsed.content,
                parsed.thinking,
                parsed.tool_calls,
                logprobs,
            )
        if chunk.content or chunk.thinking or chunk.tool_calls or chunk.logprobs:
            self._send(chunk)

    def _on_job(self, job: EmbedJob) -> None:
        if job.error:
            self._fail(job.id, job.error)
            return
        self._jobs.discard(job.id)
        self._send(Embeddings(job.id, job.vectors, sum(map(len, job.inputs))))

    def _fail(self, request_id: int, error: OllapyError) -> None:
        self._answers.pop(request_id, None)
        self._jobs.discard(request_id)
        self._send(Failed(request_id, type(error).__name__, str(error)))


def _limit(wanted: int | None, default: int, most: int) -> int:
    """A context's length as a request may have it: what it wants, where that is a length."""
    return min(max(wanted if wanted and wanted > 0 else default, 4), most)


def _done(answer: _Answer) -> Done:
    sequence, now = answer.sequence, time.monotonic()
    started = sequence.started_at or now
    first = sequence.first_token_at or now
    usage = Usage(
        num_prompt=sequence.num_prompt,
        num_generated=sequence.num_generated,
        prefill_seconds=first - started,
        decode_seconds=now - first,
    )
    report = msgspec.structs.replace(
        answer.report, cached_tokens=sequence.num_cached or 0
    )
    return Done(
        sequence.id, str(sequence.finish_reason), usage, report, sequence.tokens
    )
