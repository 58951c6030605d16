"""EngineThread: the one thread that owns the model, with a queue in and event-loop callbacks out."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from contextlib import ExitStack

from ollapy.engine.answer import Output
from ollapy.engine.embedder import Embedder
from ollapy.engine.engine import Engine
from ollapy.engine.keeping import Keeping
from ollapy.engine.packer import EmbedJob
from ollapy.engine.pool import Wish
from ollapy.engine.sequence import Sequence
from ollapy.errors import OllapyError, RunnerError, Unsupported
from ollapy.llama.devices import buffers
from ollapy.llama.model import Model

from .loaded import Loaded
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
        self._loaded: Loaded | None = None
        self._keeping: Keeping | None = None
        threading.Thread(target=self._run, name="engine", daemon=True).start()

    @property
    def model(self) -> Model | None:
        """Once Ready; its tokenizer works on any thread."""
        return self._loaded.model if self._loaded else None

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
            with ExitStack() as resources:
                loaded = self._open(resources)
                while True:
                    self._turn(loaded)
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

    def _open(self, resources: ExitStack) -> Loaded:
        self._post(Loading(0.0))  # from here on files that come into memory are its
        loaded = Loaded(self._load, resources, lambda done: self._post(Loading(done)))
        self._keeping = loaded.keeping(self._commands.put, self._ask)
        self._loaded = loaded
        self._post(loaded.ready)
        return loaded

    def _turn(self, loaded: Loaded) -> None:
        """Obey every command, waiting for one where there is nothing else to do; then take a step."""
        while not self._commands.empty() or not loaded.has_work:
            self._next_command()()
        loaded.use_threads(self._threads.choose())
        engine = loaded.engine
        if engine and engine.has_work:
            self._post(engine.step())
            if wish := engine.wish():
                self._ask(wish)
        if pack := loaded.pack:
            embedder, room = pack
            self._post(embedder.step(room))
        if engine and not engine.has_work:
            engine.verify()

    def _next_command(self) -> Callable[[], None]:
        try:
            return self._commands.get(timeout=_REST_SECONDS)
        except queue.Empty:
            return self._rest

    @property
    def _engine(self) -> Engine | None:
        return self._loaded.engine if self._loaded else None

    @property
    def _parts(self) -> list[Engine | Embedder]:
        return self._loaded.parts if self._loaded else []

    def _add(self, sequence: Sequence) -> None:
        try:
            if self._engine is None:
                raise Unsupported("this model makes vectors and no text")
            (self._keeping or self._engine).add(sequence)
        except OllapyError as exc:
            self._post([Output(sequence, error=exc, is_last=True)])

    def _embed(self, job: EmbedJob) -> None:
        assert self._loaded
        try:
            self._loaded.embedder().add(job)
        except OllapyError as exc:
            job.error = exc
            self._post([job])

    def _tune(self, message: Tune) -> None:
        def is_wanted() -> bool:
            is_working = self._loaded is not None and self._loaded.has_work
            return not self._commands.empty() or is_working

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
