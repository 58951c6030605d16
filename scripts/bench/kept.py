"""A chat that goes on after its model was unloaded: read again, or brought back from the disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
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


def kept(host: Host, rounds: int) -> Iterator[Row]:
    """When the first token of a chat's next turn comes, the load of the model included in both."""
    weights = host.folder / "half.gguf"
    write_shape(weights, shape="0.5b")
    add_model(host.folder / "models", _MODEL, weights)
    with host.daemon():
        anew, back = zip(*(_round(host, seed) for seed in range(rounds)), strict=True)
    cached = min(tokens for _, tokens in back)
    detail = f"{median(anew):.2f} s read anew, {median(s for s, _ in back):.2f} s brought back, {cached} tokens"
    ratio = median(b / a for a, (b, _) in zip(anew, back, strict=True))
    yield Row("chat goes on after a stop, against read anew", ratio, "x", 0.05, detail)


def _round(host: Host, seed: int) -> tuple[float, tuple[float, int]]:
    """Seconds for a chat that nobody has seen, and those for its next turn with how many tokens came back."""
    words = Random(seed)
    text = " ".join(f"w{words.randrange(100_000)}" for _ in range(_NUM_WORDS))
    turns = [{"role": "user", "content": text}]
    _stop(host)
    anew, _ = _ask(host, turns)
    _stop(host)
    turns += [{"role": "assistant", "content": "Well."}, {"role": "user", "content": "And?"}]  # fmt: skip
    return anew, _ask(host, turns)


def _ask(host: Host, turns: list[Record]) -> tuple[float, int]:
    body = {
        "model": _MODEL,
        "messages": turns,
        "stream": False,
        "options": {"num_predict": 1, "temperature": 0},
    }
    began = time.perf_counter()
    answer = host.call("POST", "/api/chat", body, patience=_PATIENCE)
    context = answer["ollapy"]["context"]
    return time.perf_counter() - began, context.get("restored_tokens", 0)


def _stop(host: Host) -> None:
    host.call("POST", "/api/generate", {"model": _MODEL, "keep_alive": 0})
    while host.call("GET", "/api/ps")["models"]:
        time.sleep(0.05)
