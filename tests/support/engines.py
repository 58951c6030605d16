"""Driving an engine from a test."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from typing import Any

from ollapy.api.ollama import Logprob
from ollapy.api.options import SamplingParams
from ollapy.engine.engine import Engine
from ollapy.engine.sequence import Sequence
from ollapy.llama.model import Model

_ids = itertools.count()
_ROUNDING = 0.3  # in natural log-probabilities


def question(
    model: Model, text: str, *, limit: int = 4096, think: bool = True, **params: Any
) -> Sequence:
    """A sequence that asks the tiny model something, greedily unless said otherwise."""
    prompt = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    if not think:
        prompt += "<think>\n\n</think>\n\n"
    return prompted(model, prompt, limit=limit, **params)


def prompted(
    model: Model, prompt: str, *, limit: int = 4096, **params: Any
) -> Sequence:
    """A sequence that goes on from a prompt, greedily unless said otherwise."""
    params = {"temperature": 0.0, **params}
    return Sequence(
        next(_ids),
        model.vocabulary.tokenize(prompt, special=True),
        SamplingParams(**params),
        limit,
    )


def run(engine: Engine, *sequences: Sequence) -> list[str]:
    """Add the sequences together and step until all have ended; their texts in order."""
    texts = dict.fromkeys((s.id for s in sequences), "")
    for sequence in sequences:
        engine.add(sequence)
    while engine.has_work:
        for output in engine.step():
            if output.error:
                raise output.error
            texts[output.sequence.id] += output.text
        engine.check()
    return list(texts.values())


def scored(engine: Engine, sequence: Sequence) -> list[Logprob]:
    """The log-probabilities of an answer's tokens."""
    engine.add(sequence)
    outputs = []
    while engine.has_work:
        outputs += engine.step()
    return [output.logprob for output in outputs if output.logprob]


def step_interrupted(engine: Engine, sequence: Sequence) -> None:
    """Step while another thread interrupts the sequence's decodes, thousands of times."""
    interrupting = threading.Thread(
        target=lambda: [engine.interrupt(sequence.id) for _ in range(20_000)]
    )
    interrupting.start()
    while interrupting.is_alive():
        engine.step()
        engine.check()
    interrupting.join()


@dataclass(slots=True)
class Story:
    """What a model of random weights said, each token with its rival."""

    logprobs: list[Logprob]
    tokens: list[int] = field(default_factory=list)


def tell(
    prompt: list[int], *, limit: int = 1024, max_tokens: int = 16, **fields: Any
) -> Sequence:
    """A sequence that goes on from tokens greedily and says how sure it was."""
    params = SamplingParams(temperature=0.0, max_tokens=max_tokens, logprobs=2)
    return Sequence(next(_ids), list(prompt), params, limit, **fields)


def told(engine: Engine, sequence: Sequence) -> Story:
    """What a sequence alone says."""
    prompt = len(sequence.tokens)
    logprobs = scored(engine, sequence)
    return Story(logprobs, sequence.tokens[prompt:])


def agree(expected: Story, got: Story) -> bool:
    """Whether two answers are the same up to the first token that a rounding could have decided.

    The shape of a batch changes a logit in its third digit, so a near tie may fall either way, and
    what follows is then another story.
    """
    for one, other in zip(expected.logprobs, got.logprobs, strict=False):
        if one.bytes != other.bytes or abs(one.logprob - other.logprob) > _ROUNDING:
            best, second = (rival.logprob for rival in one.top_logprobs[:2])
            return best - second < _ROUNDING
    return len(expected.logprobs) == len(got.logprobs)
