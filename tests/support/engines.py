"""Driving an engine from a test."""

from __future__ import annotations

import itertools
from typing import Any

from ollapy.api.ollama import Logprob
from ollapy.api.options import SamplingParams
from ollapy.engine.engine import Engine
from ollapy.engine.sequence import Sequence
from ollapy.llama.model import Model

_ids = itertools.count()


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
        model.tokenize(prompt, special=True),
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
