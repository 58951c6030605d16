"""A chat that goes on after its model was unloaded: read again, or brought back from the disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from statistics import median

from scripts.make_gguf import write_shape

from .host import Host
from .report import Row
from .streams import Record
from .versus.contenders import add_model

_MODEL = "half"
_NUM_WORDS = 660  # some 4,000 tokens
_PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class _Turn:
    """How long the first token of an answer took, the model's load in that, and the tokens that came back for it."""

    seconds: float
    load_seconds: float
    restored: int

    @property
    def reading(self) -> float:
        """Seconds once the model was there."""
        return self.seconds - self.load_seconds


def kept(host: Host, rounds: int) -> Iterator[Row]:
    """When the first token of a chat's next turn comes, against that of a chat that nobody has seen."""
    weights = host.folder / "half.gguf"
    write_shape(weights, shape="0.5b")
    add_model(host.folder / "models", _MODEL, weights)
    with host.daemon():
        pairs = [_round(host, seed) for seed in range(rounds)]
    ratio = median(back.reading / anew.reading for anew, back in pairs)
    anew, back = pairs[-1]
    detail = f"{anew.reading:.2f} s read anew, {back.reading:.2f} s brought back, {back.restored} tokens"
    yield Row("chat goes on after a stop, against read anew", ratio, "x", 0.05, detail)
    ratio = median(back.seconds / anew.seconds for anew, back in pairs)
    detail = f"{anew.seconds:.2f} s, {back.seconds:.2f} s"
    yield Row("the same with the model's load in both", ratio, "x", None, detail)


def _round(host: Host, seed: int) -> tuple[_Turn, _Turn]:
    """A chat, and its next turn after its model was unloaded."""
    words = Random(seed)
    text = " ".join(f"w{words.randrange(100_000)}" for _ in range(_NUM_WORDS))
    turns = [{"role": "user", "content": text}]
    _stop(host)
    anew = _ask(host, turns)
    _stop(host)
    turns += [{"role": "assistant", "content": "Well."}, {"role": "user", "content": "And?"}]  # fmt: skip
    return anew, _ask(host, turns)


def _ask(host: Host, turns: list[Record]) -> _Turn:
    body = {
        "model": _MODEL,
        "messages": turns,
        "stream": False,
        "options": {"num_predict": 1, "temperature": 0},
    }
    began = time.perf_counter()
    answer = host.call("POST", "/api/chat", body, patience=_PATIENCE)
    seconds = time.perf_counter() - began
    restored = answer["ollapy"]["context"].get("restored_tokens", 0)
    return _Turn(seconds, answer["load_duration"] / 1e9, restored)


def _stop(host: Host) -> None:
    host.call("POST", "/api/generate", {"model": _MODEL, "keep_alive": 0})
    while host.call("GET", "/api/ps")["models"]:
        time.sleep(0.05)
