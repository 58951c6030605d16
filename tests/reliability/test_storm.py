"""Two processes do whatever comes to one store, at once, and one call or another goes wrong: it is never wrong."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from ollapy.download.partial import BLOCK
from tests.support import judge
from tests.support.crash_host import Host, Outcome, crash_host
from tests.support.failpoints import Fault
from tests.support.misbehaving import Asked, Reply, Server, misbehaving
from tests.support.offer import Offer, offer
from tests.support.raw_gguf import weights

SHARED = b"{{ .Prompt }}"
OFFERS = [
    offer(model=weights(seed=1), template=SHARED),
    offer(model=weights(BLOCK + 99, seed=2), template=SHARED),
    offer(model=weights(seed=1), template=SHARED, params=b'{"top_k":3}'),
]
FAULTS = [
    Fault(how="kill"),
    Fault(how="torn"),
    Fault(how="EIO"),
    Fault(how="ENOSPC", lasting=True),
]
MODELS = ("one", "two", "three")


@dataclass
class Market:
    """A registry whose names mean now this and now that."""

    server: Server
    meaning: dict[str, Offer]

    def name(self, model: str) -> str:
        return f"127.0.0.1:{self.server.port}/ann/{model}:v1"


@contextmanager
def market() -> Iterator[Market]:
    meaning = dict.fromkeys(MODELS, OFFERS[0])

    def answer(asked: Asked, reply: Reply) -> None:
        meaning[asked.path.split("/")[3]].answer(asked, reply)

    with misbehaving(answer) as server:
        yield Market(server, meaning)


def command(random: Random, market: Market) -> list[str]:
    """Anything that somebody might do."""
    one, other = (market.name(random.choice(MODELS)) for _ in range(2))
    return random.choice(
        [
            ["pull", one],
            ["pull", one],
            ["copy", one, other],
            ["create", one, other],
            ["remove", one],
            ["upload", f"text {random.random()}"],
            ["sweep"],
        ]
    )


def fault(random: Random) -> Fault | None:
    """As often as not something goes wrong, somewhere."""
    if random.random() < 0.5:
        return None
    chosen = random.choice(FAULTS)
    return Fault(random.randrange(1, 40), chosen.how, chosen.lasting)


def storm(models: Path, seed: int, num_rounds: int) -> None:
    random = Random(seed)
    with (
        market() as registry,
        crash_host() as one,
        crash_host() as other,
        ThreadPoolExecutor(2) as threads,
    ):
        for _ in range(num_rounds):
            registry.meaning[random.choice(MODELS)] = random.choice(OFFERS)
            asked = [
                (host, command(random, registry), fault(random))
                for host in (one, other)
            ]
            outcomes = list(threads.map(lambda it: _run(models, *it), asked))
            assert not any(o.error.startswith("raw") for o in outcomes), outcomes
            judge.check_sound(models)
        _check_end(models, registry, one)


def _run(models: Path, host: Host, words: list[str], fault: Fault | None) -> Outcome:
    return host.run(models, *words, fault=fault)


def _check_end(models: Path, registry: Market, host: Host) -> None:
    """All can be had, and nothing else is left."""
    for model, meant in registry.meaning.items():
        assert host.run(models, "pull", registry.name(model)).passed
        port = registry.server.port
        path = models / f"manifests/127.0.0.1:{port}/ann/{model}/v1"
        assert path.read_bytes() == meant.data
    assert host.run(models, "prune").passed
    judge.check_sound(models)
    judge.check_tidy(models)


def test_a_storm(memory: Path) -> None:
    storm(memory / "models", seed=0, num_rounds=25)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(1, 9))
def test_a_long_storm(memory: Path, seed: int) -> None:
    storm(memory / "models", seed, num_rounds=300)
