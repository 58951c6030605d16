"""Answer: a sequence with the state that turns its tokens into text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ollapy.api.ollama import Logprob, TokenLogprob
from ollapy.errors import OllapyError
from ollapy.llama.sampling import Candidates, Row, Sampler, logprobs
from ollapy.llama.vocabulary import Vocabulary

from .detokenizer import Detokenizer
from .forcing import forced_tokens
from .sequence import FinishReason, Sequence
from .stopping import StopStrings


@dataclass(slots=True)
class Output:
    """What a step made of one sequence: a piece of text, perhaps empty, and perhaps its end.

    It goes to another thread while the engine works on, so the end is told here and not read from the
    sequence, which may have ended since. `prompt_logprobs` come once, with the first piece; the
    prompt's first token follows nothing and has none.
    """

    sequence: Sequence
    text: str = ""
    logprob: Logprob | None = None
    prompt_logprobs: list[Logprob] = field(default_factory=list)
    error: OllapyError | None = None
    # the context that there is memory for, where the prompt is longer
    too_long_for: int | None = None
    is_last: bool = False


class Answer:
    """Takes a sequence's rows of logits and says what they become. Engine thread only."""

    def __init__(
        self, sequence: Sequence, vocabulary: Vocabulary, candidates: Candidates
    ) -> None:
        self.sequence = sequence
        self._vocabulary = vocabulary
        self._sampler = Sampler(sequence.params, candidates)
        self._stops = StopStrings(sequence.params.stop)
        self._detokenizer = Detokenizer()
        self._prompt_logprobs: list[Logprob] = []
        self._scores: Row  # as the model gave them, while log-probabilities are wanted

    def score(self, row: Row, position: int) -> None:
        """A row of the prompt: how likely the token after `position` was. Twice after a preemption."""
        if position == len(self._prompt_logprobs):
            token = self.sequence.tokens[position + 1]
            count = self.sequence.params.prompt_logprobs or 0
            self._prompt_logprobs.append(self._logprob(row, token, count))

    def sample(self, row: Row) -> int:
        """The next token from its row, which is edited."""
        if self.sequence.params.logprobs is not None:
            self._scores = row.copy()
        budget = self.sequence.budget
        if budget is not None and (forced := budget.take()) is not None:
            return forced
        if constraint := self.sequence.constraint:
            constraint.restrict(row)
        return self._sampler.sample(row, self.sequence.tokens)

    def accept(self, token: int) -> Output:
        """What a sampled token makes of the answer: more text, or its end, which the sequence then has."""
        sequence = self.sequence
        output = Output(sequence, prompt_logprobs=self._prompt_logprobs)
        self._prompt_logprobs = []
        if sequence.max_tokens == 0:
            return self._finish(output, FinishReason.LENGTH)
        if (count := sequence.params.logprobs) is not None:
            output.logprob = self._logprob(self._scores, token, count)
        self._extend(output, token)
        for forced in [] if output.is_last else self._forced():
            sequence.num_forced += 1
            self._extend(output, forced)
            if output.is_last:
                break
        return output

    def cut_short(self, limit: int) -> Output:
        """The end where there is memory for so many tokens only; a prompt that has more may be made shorter."""
        sequence = self.sequence
        if not sequence.num_generated:
            return Output(sequence, too_long_for=limit, is_last=True)
        sequence.limit = limit
        return self._finish(Output(sequence), FinishReason.LENGTH)

    def close(self) -> None:
        """Free what the sampler holds."""
        self._sampler.close()

    def _forced(self) -> list[int]:
        """Tokens about which there is no choice; none where each is to be scored, or a thought is being ended."""
        sequence = self.sequence
        is_scored = sequence.params.logprobs is not None
        is_ending = sequence.budget is not None and sequence.budget.is_ending
        if sequence.constraint is None or is_ending or is_scored:
            return []
        room = sequence.limit - len(sequence.tokens) - 1
        return forced_tokens(sequence.constraint, self._vocabulary, room)

    def _extend(self, output: Output, token: int) -> None:
        sequence = self.sequence
        sequence.tokens.append(token)
        if self._vocabulary.is_end(token):
            self._finish(output, FinishReason.STOP)
            return
        constraint = sequence.constraint
        if constraint:
            constraint.take(token)
        text = self._detokenizer.feed(self._visible(token))
        if sequence.budget is not None:
            sequence.budget.spend(text)
        output.text += self._watched(text)
        sequence.stopped_by = self._stops.matched
        if self._stops.matched or (constraint and constraint.is_complete):
            self._finish(output, FinishReason.STOP)
        elif sequence.num_generated >= sequence.max_tokens:
            self._finish(output, FinishReason.LENGTH)

    def _visible(self, token: int) -> bytes:
        """A token's part of the answer: of control tokens only those that are meant for its reader."""
        if self._vocabulary.is_control(token) and token not in self.sequence.visible:
            return b""
        return self._vocabulary.piece(token)

    def _watched(self, text: str) -> str:
        """What of a text is certain to be none of a stop string; those count where the answer may end."""
        constraint = self.sequence.constraint
        if constraint and not constraint.may_end:
            return self._stops.finish() + text
        return self._stops.feed(text)

    def _finish(self, output: Output, reason: FinishReason) -> Output:
        """Let out the text that was held back; none of it belongs to a stop string that matched."""
        output.text += self._stops.feed(self._detokenizer.finish())
        output.text += self._stops.finish()
        output.is_last = True
        self.sequence.finish_reason = reason
        return output

    def _logprob(self, row: Row, token: int, count: int) -> Logprob:
        own, top = logprobs(row, token, count)
        rivals = [TokenLogprob(**self._spell(i), logprob=value) for i, value in top]
        return Logprob(**self._spell(token), logprob=own, top_logprobs=rivals)

    def _spell(self, token: int) -> dict[str, Any]:
        piece = self._vocabulary.piece(token)
        return {"token": piece.decode("utf-8", "replace"), "bytes": list(piece)}
