"""Engine: continuous batching over one context. Synchronous; one thread makes every call."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from typing import Any

from ollapy.errors import InvalidNumbers, OllapyError, RunnerError
from ollapy.llama.adapters import Adapters
from ollapy.llama.context import Aborted, Context, NoCells
from ollapy.llama.model import Model
from ollapy.llama.sampling import Candidates, Row
from ollapy.llama.states import checkpoint

from .answer import Answer, Output
from .batch import Batch
from .checkpoints import MAX_BYTES
from .decoder import Decoder
from .elastic import Elastic
from .matching import Reuse
from .pace import Pace
from .pool import Wish
from .prefix_tree import PrefixTree
from .scheduler import Scheduler
from .sequence import Sequence
from .stats import Counters

logger = logging.getLogger(__name__)

# Steps from one look at what cells there is a use for to the next.
_LOOK_EVERY = 8


class Engine:
    """Sequences join and leave at any step; every step computes one batch for all of them."""

    def __init__(
        self,
        model: Model,
        context: Context,
        adapters: Adapters | None = None,
        *,
        step_seconds: float = 0.15,
        max_cells: int = 0,
        max_running: int = 0,
        max_state_bytes: int = MAX_BYTES,
    ) -> None:
        self._model = model
        self._context = context
        self._max_running = max_running
        self._max_state_bytes = max_state_bytes
        self.pace = Pace(step_seconds)
        self.counters = Counters()
        self.decoder = Decoder(
            context, adapters or Adapters(model), self.pace, self.counters
        )
        self.scheduler = self._new_scheduler()
        self._candidates = Candidates(
            model.vocabulary.num_tokens, model.vocabulary.suppressed_tokens
        )
        self._answers: dict[int, Answer] = {}
        # an encoder's output is not among what can be carried over
        most = 0 if model.has_encoder else max_cells
        self._elastic = Elastic(context, self.decoder, self.counters, most)
        self._is_stalled = False  # nobody can go on in a pool of this size

    def _new_scheduler(self) -> Scheduler:
        context = self._context
        reuse = Reuse.ANYWHERE if context.can_rewind else Reuse.CHECKPOINT
        tree = PrefixTree(
            num_cells=context.num_cells,
            num_slots=context.max_sequences,
            reuse=Reuse.NOWHERE if self._model.has_encoder else reuse,
            max_state_bytes=self._max_state_bytes,
        )
        return Scheduler(
            tree,
            max_batch=context.max_batch,
            max_outputs=context.max_outputs,
            max_idle=self._model.num_ctx_train,
            max_running=self._max_running,
            is_ready=self.decoder.encodings.is_ready,
        )

    @property
    def has_work(self) -> bool:
        """Whether a step would do something."""
        is_held_up = self._is_stalled and self._elastic.is_asking
        return bool(self._answers) and not is_held_up

    @property
    def stats(self) -> dict[str, Any]:
        """The counters, and how things stand."""
        return asdict(self.counters) | self.scheduler.stats

    @property
    def max_prompt(self) -> int:
        """Tokens of a prompt that may be computed at once without keeping others waiting for long."""
        scheduler, generating = self.scheduler, self.scheduler.num_generating
        reading = scheduler.num_running + scheduler.num_waiting - generating
        return self.pace.beside(generating, reading, scheduler.num_sets)

    @property
    def num_cells(self) -> int:
        """The size of the pool of cells."""
        return self._context.num_cells

    def wish(self, beside: int = 0) -> Wish | None:
        """A larger pool to ask for, where it would be of use, or for so many cells more; `resize` is the answer."""
        is_time = not self.counters.steps % _LOOK_EVERY or self._is_stalled
        if not is_time and not beside:
            return None
        return self._elastic.wish(self.scheduler, time.monotonic(), beside)

    @property
    def is_asking(self) -> bool:
        """Whether the answer to a wish is still to come."""
        return self._elastic.is_asking

    def resize(self, num_cells: int) -> list[Output]:
        """Have a pool of about so many cells, and say what becomes of those for whom it stays too small."""
        self._is_stalled = False
        self._elastic.resize(self.scheduler, num_cells)
        return self._turn_away()

    def rest(self) -> bool:
        """While nothing is asked: give back what the pool has beyond what it holds; whether that was anything."""
        before = self.num_cells
        self._elastic.rest(self.scheduler)
        return self.num_cells != before

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence; its prompt is neither empty nor as long as its limit."""
        self._is_stalled = False
        self._answers[sequence.id] = Answer(
            sequence, self._model.vocabulary, self._candidates
        )
        self.scheduler.add(sequence)

    def cancel(self, sequence_id: int) -> None:
        """Drop a sequence; one that has ended is fine."""
        self._is_stalled = False
        if answer := self._answers.get(sequence_id):
            self._drop(answer)

    def interrupt(self, sequence_id: int) -> None:
        """From any thread, before `cancel`: stop the decode under way if it is for that sequence alone."""
        self.decoder.interrupt(sequence_id)

    def abort(self) -> None:
        """From any thread: stop the decode under way, whoever it is for."""
        self._context.abort()

    def step(self) -> list[Output]:
        """Compute one batch and say what came of each sequence that yielded a token or failed."""
        if self._is_stalled:
            self._is_stalled = False
            return self._turn_away()
        started, native = time.perf_counter(), self.counters.native_seconds
        batch, error = self._compute()
        outputs = self._fail(batch, error) if error else self._read(batch)
        if any(isinstance(output.error, InvalidNumbers) for output in outputs):
            self._begin_anew()
        self.counters.rows += len(batch.rows)
        self.counters.tokens += len(batch.tokens)
        elapsed = time.perf_counter() - started
        self.counters.add_step(elapsed)
        native = self.counters.native_seconds - native
        self.counters.overhead_seconds += elapsed - native
        return outputs

    def check(self) -> None:
        """The invariants: of the scheduler, of its answers, and that llama.cpp holds what it believes."""
        self.decoder.act(self.scheduler.take_actions())
        self.scheduler.check()
        known = self.scheduler.num_running + self.scheduler.num_waiting
        assert known == len(self._answers), self
        for slot, length in self.scheduler.positions.items():
            assert self._context.length(slot) == length, self

    def verify(self) -> None:
        """Check while nothing runs, and begin with an empty memory should something be wrong."""
        try:
            self.check()
        except AssertionError:
            logger.exception("memory inconsistent, starting with an empty one")
            self._context.clear()
            self.scheduler = self._new_scheduler()

    def close(self) -> None:
        """Drop every sequence and end its threads."""
        for answer in list(self._answers.values()):
            self._drop(answer)
        self.decoder.close()

    def _compute(self) -> tuple[Batch, OllapyError | None]:
        """Schedule and decode; when the pool turns out to be full, with one sequence fewer each time."""
        while True:
            batch = self._schedule()
            try:
                self._decode(batch)
            except NoCells:
                if len(batch.parts) == 1:
                    return batch, RunnerError("the context memory is full")
                self.scheduler.preempt(time.monotonic())
            except Aborted:
                self.scheduler.rewind(batch)
                return Batch(), None
            except OllapyError as exc:
                return batch, exc
            else:
                return batch, None

    def _schedule(self) -> Batch:
        batch = self.scheduler.schedule(
            now=time.monotonic(),
            max_prompt=self.max_prompt,
            max_alone=self.pace.alone,
        )
        self.decoder.act(batch.actions)
        if batch.tokens:
            return batch
        if self.decoder.encodings.is_busy:
            self.decoder.encodings.wait()
        else:
            self._is_stalled = bool(self.scheduler.oversized)
        return batch

    def _decode(self, batch: Batch) -> None:
        if not batch.tokens:
            return
        now = time.monotonic()
        for sequence, _ in batch.parts:
            sequence.started_at = sequence.started_at or now
        self.decoder.decode(batch)
        for sequence in self.scheduler.commit(batch):
            assert sequence.slot is not None
            state = checkpoint(self._context, sequence.slot)
            self.scheduler.keep(sequence, state, now)

    def _read(self, batch: Batch) -> list[Output]:
        """The outputs that a batch's rows of logits make."""
        if not batch.rows:
            return []
        rows = self._context.logits(len(batch.rows))
        outputs = []
        for (sequence, position), row in zip(batch.rows, rows, strict=True):
            answer = self._answers[sequence.id]
            if position < len(sequence.tokens) - 1:
                answer.score(row, position)
            else:
                outputs.append(self._advance(answer, row))
        return outputs

    def _advance(self, answer: Answer, row: Row) -> Output:
        sequence = answer.sequence
        sequence.first_token_at = sequence.first_token_at or time.monotonic()
        started = time.perf_counter()
        try:
            token = answer.sample(row)
            self.counters.sample_seconds += time.perf_counter() - started
            output = answer.accept(token)
        except OllapyError as exc:
            output = Output(sequence, error=exc, is_last=True)
        if output.is_last:
            self._drop(answer)
        elif len(sequence.tokens) >= sequence.limit:
            self.counters.shifts += 1
            self.scheduler.shift(sequence, time.monotonic())
        return output

    def _turn_away(self) -> list[Output]:
        """Those who are longer than the pool go on with a part of it where they shift, else they end."""
        outputs = []
        for sequence in self.scheduler.oversized:
            if sequence.num_generated and sequence.num_keep is not None:
                sequence.limit = self.num_cells
                self.scheduler.shift(sequence, time.monotonic())
            else:
                answer = self._answers[sequence.id]
                outputs.append(answer.cut_short(self.num_cells))
                self._drop(answer)
        return outputs

    def _begin_anew(self) -> None:
        """Wipe the memory: a NaN in one cell can reach all who share the pool, as no mask keeps it in on a GPU."""
        self.counters.wipes += 1
        self.scheduler.forget(time.monotonic())
        self.decoder.act(self.scheduler.take_actions())
        self._context.clear(wipe=True)

    def _fail(self, batch: Batch, error: OllapyError) -> list[Output]:
        for sequence, _ in batch.parts:
            self._drop(self._answers[sequence.id])
        return [
            Output(sequence, error=error, is_last=True) for sequence, _ in batch.parts
        ]

    def _drop(self, answer: Answer) -> None:
        self.scheduler.remove(answer.sequence, time.monotonic())
        answer.close()
        del self._answers[answer.sequence.id]

    def __repr__(self) -> str:
        return f"<Engine {self.scheduler!r}>"
