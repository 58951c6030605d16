"""EngineThread: the one thread that owns the model, with a queue in and event-loop callbacks out."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from ollapy.engine.embedder import Embedder, EmbedJob
from ollapy.engine.engine import Engine, Output
from ollapy.engine.sequence import Sequence
from ollapy.errors import OllapyError, RunnerError, Unsupported
from ollapy.llama.context import Context, open_context
from ollapy.llama.library import log
from ollapy.llama.model import Model, open_model

from .protocol import Failed, Load, Loading, Ready, Stats

logger = logging.getLogger(__name__)

# A text is pooled within one batch, whose buffers are reserved when the context is made.
MAX_EMBED_TOKENS = 2048
_MAX_EMBED_SEQUENCES = 32
_RANK = "4"  # a pooling type that gives scores and no vector
# How long a step may take while somebody waits for the next token.
_CPU_STEP, _GPU_STEP = 0.15, 0.05

Event = Loading | Ready | Failed | Stats | list[Output] | list[EmbedJob]


class EngineThread:
    """Loads a model and serves it for the rest of the process.

    `emit` is called on the event loop: first with Loading any number of times, then with Ready or a
    Failed of the load, then with what steps produce.
    """

    def __init__(self, load: Load, emit: Callable[[Event], None]) -> None:
        self._load = load
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._engine: Engine | None = None
        self._embedder: Embedder | None = None
        self.model: Model | None = None  # once Ready; its tokenizer works on any thread
        threading.Thread(target=self._run, name="engine", daemon=True).start()

    # Called on the event loop:

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence for generation."""
        self._commands.put(lambda: self._add(sequence))

    def embed(self, job: EmbedJob) -> None:
        """Queue texts for embedding."""
        self._commands.put(lambda: self._embed(job))

    def cancel(self, request_id: int) -> None:
        """Drop a sequence or job, whichever has that id, even in the middle of its prompt."""
        if self._engine is not None:
            self._engine.interrupt(request_id)
        self._commands.put(lambda: self._cancel(request_id))

    def report(self, request_id: int) -> None:
        """Ask for the engine's counters."""
        self._commands.put(lambda: self._report(request_id))

    # Called on the thread:

    def _post(self, event: Event) -> None:
        self._loop.call_soon_threadsafe(self._emit, event)

    def _run(self) -> None:
        try:
            with ExitStack() as self._resources:
                self._open()
                while True:
                    self._turn()
        except OllapyError as exc:
            self._post(Failed(None, type(exc).__name__, str(exc)))
        except Exception:
            logger.exception("engine thread failed")
            self._post(
                Failed(
                    None,
                    RunnerError.__name__,
                    "the engine failed, see the daemon's log",
                )
            )

    def _open(self) -> None:
        opening = open_model(
            Path(self._load.path),
            num_gpu_layers=self._load.num_gpu_layers,
            on_progress=lambda progress: self._post(Loading(progress)),
        )
        self.model = model = self._resources.enter_context(opening)
        if model.is_embedding:
            self._open_embedder(model)
        else:
            self._open_engine(model)
        num_ctx = MAX_EMBED_TOKENS if model.is_embedding else self._load.num_ctx
        self._post(
            Ready(
                min(num_ctx, model.num_ctx_train),
                self._load.max_sequences,
                *log.memory(),
            )
        )

    def _open_engine(self, model: Model) -> None:
        load = self._load
        context = self._open_context(
            model, load.num_cells, load.max_sequences, load.num_batch
        )
        _, on_accelerator = log.memory()
        self._engine = Engine(
            model, context, step_seconds=_GPU_STEP if on_accelerator else _CPU_STEP
        )

    def _open_embedder(self, model: Model) -> Embedder:
        if model.hyperparameter("pooling_type") == _RANK:
            raise Unsupported("this model ranks documents, which is not supported yet")
        longest = min(model.num_ctx_train, MAX_EMBED_TOKENS)
        context = self._open_context(
            model, longest, _MAX_EMBED_SEQUENCES, longest, pooled=True
        )
        self._embedder = Embedder(context)
        return self._embedder

    def _open_context(
        self,
        model: Model,
        num_cells: int,
        max_sequences: int,
        num_batch: int,
        *,
        pooled: bool = False,
    ) -> Context:
        opening = open_context(
            model,
            num_cells=num_cells,
            max_sequences=max_sequences,
            num_batch=num_batch,
            num_threads=self._load.num_threads,
            pooled=pooled,
        )
        return self._resources.enter_context(opening)

    def _turn(self) -> None:
        """Obey every command, waiting for one where there is nothing else to do; then take a step."""
        while not self._commands.empty() or not any(
            part.has_work for part in self._parts
        ):
            self._commands.get()()
        for part in self._parts:
            if part.has_work and (events := part.step()):
                self._post(events)

    @property
    def _parts(self) -> list[Engine | Embedder]:
        return [part for part in (self._engine, self._embedder) if part is not None]

    def _add(self, sequence: Sequence) -> None:
        try:
            if self._engine is None:
                raise Unsupported("this model makes vectors and no text")
            self._engine.add(sequence)
        except OllapyError as exc:
            self._post([Output(sequence, error=exc, is_last=True)])

    def _embed(self, job: EmbedJob) -> None:
        assert self.model is not None
        try:  # a generating model gets its embedding context on first use
            embedder = self._embedder or self._open_embedder(self.model)
            embedder.add(job)
        except OllapyError as exc:
            job.error = exc
            self._post([job])

    def _cancel(self, request_id: int) -> None:
        for part in self._parts:
            part.cancel(request_id)

    def _report(self, request_id: int) -> None:
        counters = asdict(self._engine.counters) if self._engine else {}
        self._post(Stats(request_id, counters))
