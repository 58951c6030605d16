"""EngineThread: the one thread that owns the model, with a queue in and event-loop callbacks out."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from ollapy.api.tuning import Tuning
from ollapy.engine.answer import Output
from ollapy.engine.embedder import Embedder
from ollapy.engine.engine import Engine
from ollapy.engine.keeping import Keeping
from ollapy.engine.packer import EmbedJob
from ollapy.engine.pool import Wish
from ollapy.engine.sequence import Sequence
from ollapy.errors import OllapyError, RunnerError, Unsupported
from ollapy.llama.adapters import Adapters
from ollapy.llama.context import Context, open_context
from ollapy.llama.devices import buffers
from ollapy.llama.model import Model, open_model

from .kept import open_vault
from .limits import max_embed_tokens
from .protocol import (
    Closed,
    Failed,
    Grow,
    Load,
    Loading,
    Ready,
    Resized,
    Stats,
    Tune,
    Tuned,
)
from .threads import Threads
from .tuner import Tuner

logger = logging.getLogger(__name__)

_MAX_EMBED_SEQUENCES = 64
# Tokens of texts to compute at once. More are slower on a CPU: each looks at all the others.
_CPU_PACK, _GPU_PACK = 512, 2048
# How long a step may take while somebody waits for the next token.
_CPU_STEP, _GPU_STEP = 0.15, 0.05
# After so long without a request the pool gives back what it has no use for.
_REST_SECONDS = 60.0

Event = (
    Loading
    | Ready
    | Grow
    | Resized
    | Closed
    | Failed
    | Stats
    | Tuned
    | list[Output]
    | list[EmbedJob]
)


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
        self._threads = Threads(load.num_threads)
        self._contexts: list[Context] = []
        self._engine: Engine | None = None
        self._keeping: Keeping | None = None
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
        for part in self._parts:
            part.interrupt(request_id)
        self._commands.put(lambda: self._cancel(request_id))

    def resize(self, num_cells: int) -> None:
        """Have the pool hold so many cells, or more where those who run need them."""
        self._commands.put(lambda: self._resize(num_cells))

    def report(self, request_id: int) -> None:
        """Ask for the engine's counters."""
        self._commands.put(lambda: self._report(request_id))

    def tune(self, message: Tune) -> None:
        """Try ways to compute, until anything else is asked."""
        self._commands.put(lambda: self._tune(message))

    def close(self, seconds: float) -> None:
        """Compute nothing any more, and keep what was computed."""
        for part in self._parts:
            part.abort()
        self._commands.put(lambda: self._close(seconds))

    # Called on the thread:

    def _post(self, event: Event) -> None:
        if event == []:
            return
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
        self._post(Loading(0.0))  # from here on files that come into memory are its
        opening = open_model(
            [Path(path) for path in self._load.paths],
            place=self._load.place,
            on_progress=lambda progress: self._post(Loading(progress)),
        )
        self.model = model = self._resources.enter_context(opening)
        self._adapters = Adapters(model)
        if model.is_embedding:
            self._open_embedder(model)
        else:
            self._open_engine(model)
        num_ctx = min(self._load.num_ctx, model.num_ctx_train)
        most = min(self._load.max_sequences, model.max_sequences)
        if self._load.max_running and not model.is_embedding:
            most = min(most, self._load.max_running)
        self._post(
            Ready(
                max_embed_tokens(self._load, model) if model.is_embedding else num_ctx,
                most,
                buffers(),
            )
        )

    def _open_engine(self, model: Model) -> None:
        load = self._load
        max_sequences = min(load.max_sequences, model.max_sequences)
        context = self._open_context(
            model, load.num_cells, max_sequences, load.num_batch
        )
        step_seconds = _GPU_STEP if load.place.devices else _CPU_STEP
        engine = Engine(
            model,
            context,
            self._adapters,
            step_seconds=step_seconds,
            max_cells=load.max_cells,
            max_running=load.max_running,
            max_state_bytes=load.max_state_bytes,
        )
        if vault := open_vault(load, model, context):
            self._keeping = Keeping(
                engine, context, vault, self._commands.put, self._ask
            )
        self._engine = engine

    def _open_embedder(self, model: Model) -> Embedder:
        if model.has_encoder:
            raise Unsupported("this model makes text and no vectors")
        longest = max_embed_tokens(self._load, model)
        max_batch = min(longest, self._load.num_batch) if model.is_causal else longest
        context = self._open_context(
            model,
            longest + max_batch,
            min(_MAX_EMBED_SEQUENCES, model.max_sequences),
            max_batch,
            pooled=True,
        )
        self._max_pack = _GPU_PACK if self._load.place.devices else _CPU_PACK
        self._embedder = Embedder(model, context, self._adapters)
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
            # an encoder's text and what is pooled must be computed as a whole
            tuning=Tuning() if pooled or model.has_encoder else self._load.tuning,
            max_cells=0 if pooled else self._load.max_cells,
            kv_type="f16" if pooled else self._load.kv_type,
            pooled=pooled,
        )
        context = self._resources.enter_context(opening)
        self._contexts.append(context)
        return context

    def _turn(self) -> None:
        """Obey every command, waiting for one where there is nothing else to do; then take a step."""
        while not self._commands.empty() or not any(
            part.has_work for part in self._parts
        ):
            self._next_command()()
        most, tuning = self._threads.choose(), self._load.tuning
        for context in self._contexts:
            context.use_threads(
                min(most, tuning.num_threads or most),
                min(most, tuning.num_prompt_threads or most),
            )
        engine, embedder = self._engine, self._embedder
        if engine and engine.has_work:
            self._post(engine.step())
            if wish := engine.wish():
                self._ask(wish)
        if embedder and embedder.has_work:
            busy = engine is not None and engine.has_work
            room = engine.max_prompt if engine and busy else self._max_pack
            self._post(embedder.step(room))
        if engine and not engine.has_work:
            engine.verify()

    def _next_command(self) -> Callable[[], None]:
        try:
            return self._commands.get(timeout=_REST_SECONDS)
        except queue.Empty:
            return self._rest

    @property
    def _parts(self) -> list[Engine | Embedder]:
        return [part for part in (self._engine, self._embedder) if part is not None]

    def _add(self, sequence: Sequence) -> None:
        try:
            if self._engine is None:
                raise Unsupported("this model makes vectors and no text")
            (self._keeping or self._engine).add(sequence)
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

    def _tune(self, message: Tune) -> None:
        def is_wanted() -> bool:
            return not self._commands.empty() or any(p.has_work for p in self._parts)

        try:
            if self.model is None or self._engine is None or self.model.has_encoder:
                raise Unsupported("only models that go on with a text can be tuned")
            tuner = Tuner(self.model, self._load, is_wanted)
            tuning = tuner.run(message.threads, message.ubatches)
            self._post(Tuned(message.id, tuning, tuner.trials, tuner.others))
        except OllapyError as exc:
            self._post(Failed(message.id, type(exc).__name__, str(exc)))

    def _ask(self, wish: Wish) -> None:
        self._post(Grow(wish.num_cells, wish.least))

    def _resize(self, num_cells: int) -> None:
        if self._engine:
            self._post(self._engine.resize(num_cells))
            num_cells = self._engine.num_cells
        if self._keeping:
            self._keeping.resized()
        self._post(Resized(num_cells, buffers()))

    def _rest(self) -> None:
        if self._engine and self._engine.rest():
            self._post(Resized(self._engine.num_cells, buffers()))

    def _close(self, seconds: float) -> None:
        count = self._keeping.close(seconds) if self._keeping else 0
        self._post(Closed(count))

    def _cancel(self, request_id: int) -> None:
        if self._keeping:
            self._keeping.cancel(request_id)
        for part in self._parts:
            part.cancel(request_id)

    def _report(self, request_id: int) -> None:
        self._post(Stats(request_id, self._engine.stats if self._engine else {}))
