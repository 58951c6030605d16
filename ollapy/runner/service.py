"""Service: one model's requests from the daemon to the engine thread, and what comes of them back.

Everything here runs on the runner's event loop; rendering and tokenising go to threads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

from ollapy.engine.answer import Output
from ollapy.engine.packer import EmbedJob
from ollapy.errors import OllapyError, PromptTooLong
from ollapy.templating import TemplateProcess

from .intake import Intake
from .pairs import relevance
from .protocol import (
    Cancel,
    Chat,
    Close,
    Complete,
    Embeddings,
    Failed,
    FromRunner,
    GetStats,
    Load,
    Question,
    Ready,
    Rendered,
    Resize,
    Scores,
    Serve,
    Text,
    ToRunner,
    Tune,
)
from .reply import Reply
from .worker import EngineThread, Event

logger = logging.getLogger(__name__)


class Service:
    """Serves one model over frames. `send` writes one frame to the daemon."""

    def __init__(self, send: Callable[[FromRunner], None]) -> None:
        self._send = send
        self._replies: dict[int, Reply] = {}
        self._jobs: set[int] = set()
        self._preparing: dict[int, asyncio.Task[None]] = {}
        self._templates = TemplateProcess()

    def receive(self, message: ToRunner) -> None:
        """Act on one message of the daemon."""
        match message:
            case Load():
                self._load = message
                self._templates.start()  # is there when the model is
                self._thread = EngineThread(message, self._on_event)
            case Cancel():
                self._cancel(message.id)
            case GetStats():
                self._thread.report(message.id)
            case Resize():
                self._thread.resize(message.num_cells)
            case Close():
                self._thread.close(message.seconds)
            case Tune():
                self._thread.tune(message)
            case Serve():
                raise AssertionError("it is for the other engine")
            case _:
                self._prepare(message)

    def _prepare(self, message: Question, *, asked_limit: int = 0) -> None:
        """Make a request ready for the engine; one that asked for a context that there was no memory for, again."""
        task = asyncio.create_task(self._start(message, asked_limit))
        self._preparing[message.id] = task
        task.add_done_callback(lambda _: self._preparing.pop(message.id, None))

    def _cancel(self, request_id: int) -> None:
        if task := self._preparing.get(request_id):
            task.cancel()
        if self._replies.pop(request_id, None) or request_id in self._jobs:
            self._jobs.discard(request_id)
            self._thread.cancel(request_id)

    async def _start(self, message: Question, asked_limit: int) -> None:
        """Bring a request to the engine, or answer why it cannot be."""
        try:
            prepared = await asyncio.to_thread(self._intake.prepare, message)
        except PromptTooLong as exc:
            self._fail(message.id, _explained(exc, asked_limit))
        except OllapyError as exc:
            self._fail(message.id, exc)
        except Exception:
            logger.exception("request failed")
            self._fail(
                message.id,
                OllapyError("the request could not be prepared, see the daemon's log"),
            )
        else:
            if isinstance(prepared, Reply):
                prepared.question, prepared.asked_limit = message, asked_limit
            self._add(message.id, prepared)

    def _add(
        self, request_id: int, prepared: Reply | EmbedJob | Rendered | Text
    ) -> None:
        if isinstance(prepared, Rendered | Text):
            self._send(prepared)
        elif isinstance(prepared, EmbedJob):
            self._jobs.add(request_id)
            self._thread.embed(prepared)
        else:
            self._replies[request_id] = prepared
            self._thread.add(prepared.sequence)

    # From the engine:

    def _on_event(self, event: Event) -> None:
        if not isinstance(event, list):
            if isinstance(event, Ready):
                assert self._thread.model is not None
                self._intake = Intake(self._thread.model, self._load, self._templates)
            self._send(event)
            return
        for item in event:
            if isinstance(item, Output):
                self._on_output(item)
            elif item.id in self._jobs:
                self._on_job(item)

    def _on_output(self, output: Output) -> None:
        request_id = output.sequence.id
        reply = self._replies.get(request_id)
        if reply is None:  # cancelled while this was on its way
            return
        if output.error:
            self._fail(request_id, output.error)
            return
        if output.too_long_for:
            self._shorten(reply, output.too_long_for)
            return
        try:
            self._tell(reply, output)
        except Exception:
            logger.exception("answer failed id=%d", request_id)
            self._thread.cancel(request_id)
            self._fail(
                request_id,
                OllapyError("the answer could not be read, see the daemon's log"),
            )

    def _shorten(self, reply: Reply, limit: int) -> None:
        """Prepare a request again, for the context that there is memory for."""
        del self._replies[reply.sequence.id]
        assert isinstance(reply.question, Chat | Complete)
        question = msgspec.structs.replace(reply.question, num_ctx=limit)
        self._prepare(question, asked_limit=reply.asked_limit or reply.report.limit)

    def _tell(self, reply: Reply, output: Output) -> None:
        for chunk in reply.chunks(output):
            self._send(chunk)
        if output.is_last:
            self._send(reply.done())
            del self._replies[reply.sequence.id]

    def _on_job(self, job: EmbedJob) -> None:
        if job.error:
            self._fail(job.id, job.error)
            return
        self._jobs.discard(job.id)
        num_prompt = sum(map(len, job.inputs))
        if job.scores:
            scores = [relevance(outputs) for outputs in job.vectors]
            self._send(Scores(job.id, scores, num_prompt))
        else:
            self._send(Embeddings(job.id, job.vectors, num_prompt))

    def _fail(self, request_id: int, error: OllapyError) -> None:
        self._replies.pop(request_id, None)
        self._jobs.discard(request_id)
        self._send(Failed(request_id, type(error).__name__, str(error)))


def _explained(exc: PromptTooLong, asked_limit: int) -> PromptTooLong:
    """With why the context is not what was asked for, where that is so."""
    if not asked_limit:
        return exc
    return PromptTooLong(
        f"{exc}; there is no memory for the {asked_limit} tokens that it was to be, "
        "close other programs or unload other models"
    )
