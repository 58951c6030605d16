"""Engine: continuous batching over one context. Synchronous; one thread makes every call."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from ollapy.api.ollama import Logprob, TokenLogprob
from ollapy.errors import OllapyError, RunnerError
from ollapy.llama.context import Aborted, Context, NoCells
from ollapy.llama.model import Model
from ollapy.llama.sampling import Candidates, Row, Sampler, logprobs

from .detokenizer import Detokenizer
from .pace import Pace
from .prefix_tree import Action, PrefixTree, Remove, Share
from .scheduler import Batch, Scheduler
from .sequence import FinishReason, Sequence
from .stopping import StopStrings


@dataclass(slots=True)
class Output:
    """What a step made of one sequence: a piece of text, perhaps empty, and perhaps its end.

    It goes to another thread while the engine works on, so the end is told here and not read from the
    sequence, which may have ended since.
    """

    sequence: Sequence
    text: str = ""
    logprob: Logprob | None = None
    error: OllapyError | None = None
    is_last: bool = False


@dataclass(slots=True)
class Counters:
    """What the engine has done so far; `overhead_seconds` is the steps' time less decoding and sampling."""

    steps: int = 0
    rows: int = 0
    tokens: int = 0
    decode_seconds: float = 0.0
    sample_seconds: float = 0.0
    overhead_seconds: float = 0.0

    @property
    def native_seconds(self) -> float:
        """Time spent on the model's side of a step."""
        return self.decode_seconds + self.sample_seconds


@dataclass(slots=True)
class _Answer:
    """A sequence with the state that turns its tokens into text."""

    sequence: Sequence
    sampler: Sampler
    stops: StopStrings
    detokenizer: Detokenizer = field(default_factory=Detokenizer)

    def extend(self, piece: bytes) -> str:
        """The text that a token makes certain."""
        return self.stops.feed(self.detokenizer.feed(piece))

    def finish(self) -> str:
        """The text that was held back; none of it belongs to a stop string that matched."""
        return self.stops.feed(self.detokenizer.finish()) + self.stops.finish()


class Engine:
    """Sequences join and leave at any step; every step computes one batch for all of them."""

    def __init__(
        self, model: Model, context: Context, *, step_seconds: float = 0.15
    ) -> None:
        self._model = model
        self._context = context
        self._pace = Pace(step_seconds)
        tree = PrefixTree(
            num_cells=context.num_cells,
            num_slots=context.max_sequences,
            can_share=model.can_share,
        )
        self._scheduler = Scheduler(
            tree, max_batch=context.max_batch, max_idle=model.num_ctx_train
        )
        self._candidates = Candidates(model.num_vocab)
        self._answers: dict[int, _Answer] = {}
        # whom the decode under way is for; replaced, never changed
        self._computing: set[int] = set()
        self.counters = Counters()

    @property
    def has_work(self) -> bool:
        """Whether a step would do something."""
        return bool(self._answers)

    @property
    def num_preemptions(self) -> int:
        """How often a sequence had to give its cells back."""
        return self._scheduler.num_preemptions

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence; its prompt is neither empty nor as long as its limit."""
        sampler = Sampler(sequence.params, self._candidates)
        self._answers[sequence.id] = _Answer(
            sequence, sampler, StopStrings(sequence.params.stop)
        )
        self._scheduler.add(sequence)

    def cancel(self, sequence_id: int) -> None:
        """Drop a sequence; one that has ended is fine."""
        if answer := self._answers.get(sequence_id):
            self._drop(answer)

    def interrupt(self, sequence_id: int) -> None:
        """From any thread, before `cancel`: stop the decode under way if it is for that sequence alone."""
        if self._computing == {sequence_id}:
            self._context.abort()

    def step(self) -> list[Output]:
        """Compute one batch and say what came of each sequence that yielded a token or failed."""
        started, native = time.perf_counter(), self.counters.native_seconds
        batch, error = self._compute()
        outputs = self._fail(batch, error) if error else self._sample(batch)
        self.counters.steps += 1
        self.counters.rows += len(batch.outputs)
        self.counters.tokens += len(batch.tokens)
        elapsed = time.perf_counter() - started
        self.counters.overhead_seconds += elapsed - (
            self.counters.native_seconds - native
        )
        return outputs

    def check(self) -> None:
        """The scheduler's invariants, and that every sequence it knows has an answer."""
        self._scheduler.check()
        known = self._scheduler.num_running + self._scheduler.num_waiting
        assert known == len(self._answers), self

    def close(self) -> None:
        """Drop every sequence."""
        for answer in list(self._answers.values()):
            self._drop(answer)

    def _compute(self) -> tuple[Batch, OllapyError | None]:
        """Schedule and decode; when the pool turns out to be full, with one sequence fewer each time."""
        while True:
            max_prompt = self._pace.chunk(self._scheduler.num_generating)
            batch = self._scheduler.schedule(
                now=time.monotonic(), max_prompt=max_prompt
            )
            self._act(batch.actions)
            try:
                self._decode(batch)
            except NoCells:
                if len(batch.parts) == 1:
                    return batch, RunnerError("the context memory is full")
                self._scheduler.preempt(time.monotonic())
            except Aborted:
                self._undo(batch)
                return Batch(), None
            except OllapyError as exc:
                return batch, exc
            else:
                return batch, None

    def _decode(self, batch: Batch) -> None:
        if not batch.tokens:
            return
        now = time.monotonic()
        for sequence, _ in batch.parts:
            sequence.started_at = sequence.started_at or now
        self._computing = {sequence.id for sequence, _ in batch.parts}
        started = time.perf_counter()
        try:
            self._context.decode(
                batch.tokens, batch.positions, batch.slots, batch.outputs
            )
        finally:
            self._computing = set()
        seconds = time.perf_counter() - started
        self.counters.decode_seconds += seconds
        self._pace.record(len(batch.tokens), seconds)
        self._scheduler.commit(batch)

    def _undo(self, batch: Batch) -> None:
        """Bring the memory back to what counts as computed; a state without positions starts again."""
        for sequence, _ in batch.parts:
            if not self._model.can_share:
                sequence.num_computed = 0
            if sequence.slot is not None:
                self._context.remove(sequence.slot, sequence.num_computed)

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Remove(slot, start):
                    self._context.remove(slot, start)
                case Share(source, target, end):
                    self._context.share(source, target, end)

    def _sample(self, batch: Batch) -> list[Output]:
        if not batch.outputs:
            return []
        rows = self._context.logits(len(batch.outputs))
        return [
            self._advance(self._answers[s.id], row)
            for s, row in zip(batch.sampled, rows, strict=True)
        ]

    def _fail(self, batch: Batch, error: OllapyError) -> list[Output]:
        for sequence, _ in batch.parts:
            self._drop(self._answers[sequence.id])
        return [
            Output(sequence, error=error, is_last=True) for sequence, _ in batch.parts
        ]

    def _advance(self, answer: _Answer, row: Row) -> Output:
        """One more token of an answer."""
        sequence = answer.sequence
        sequence.first_token_at = sequence.first_token_at or time.monotonic()
        if sequence.max_tokens == 0:
            return self._finish(answer, Output(sequence), FinishReason.LENGTH)
        scores = row.copy() if sequence.params.logprobs is not None else None
        started = time.perf_counter()
        try:
            token = answer.sampler.sample(row, sequence.tokens)
        except OllapyError as exc:
            self._drop(answer)
            return Output(sequence, error=exc, is_last=True)
        self.counters.sample_seconds += time.perf_counter() - started
        sequence.tokens.append(token)
        return self._accept(
            answer,
            token,
            None if scores is None else self._logprob(scores, token, sequence),
        )

    def _accept(self, answer: _Answer, token: int, logprob: Logprob | None) -> Output:
        """What the token means for the answer: more text, or its end."""
        sequence = answer.sequence
        if self._model.is_end(token):
            return self._finish(
                answer, Output(sequence, "", logprob), FinishReason.STOP
            )
        output = Output(sequence, answer.extend(self._model.piece(token)), logprob)
        if answer.stops.matched:
            return self._finish(answer, output, FinishReason.STOP)
        if sequence.num_generated >= sequence.max_tokens:
            return self._finish(answer, output, FinishReason.LENGTH)
        return output

    def _finish(self, answer: _Answer, output: Output, reason: FinishReason) -> Output:
        output.text += answer.finish()
        output.is_last = True
        answer.sequence.finish_reason = reason
        self._drop(answer)
        return output

    def _drop(self, answer: _Answer) -> None:
        self._scheduler.remove(answer.sequence, time.monotonic())
        answer.sampler.close()
        del self._answers[answer.sequence.id]

    def _logprob(self, scores: Row, token: int, sequence: Sequence) -> Logprob:
        own, top = logprobs(scores, token, sequence.params.logprobs or 0)
        rivals = [TokenLogprob(**self._spell(i), logprob=value) for i, value in top]
        return Logprob(**self._spell(token), logprob=own, top_logprobs=rivals)

    def _spell(self, token: int) -> dict[str, Any]:
        piece = self._model.piece(token)
        return {"token": piece.decode("utf-8", "replace"), "bytes": list(piece)}

    def __repr__(self) -> str:
        return f"<Engine {self._scheduler!r}>"
