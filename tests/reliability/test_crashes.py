"""Kills and errors at every call that changes the store: at no instant is it wrong, and the same command works again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ollapy.download.partial import BLOCK
from tests.reliability.conftest import Tally
from tests.support import judge
from tests.support.crash_host import Host, Outcome
from tests.support.failpoints import Fault
from tests.support.misbehaving import Asked, Reply, Server, misbehaving
from tests.support.offer import Offer, name_on, offer
from tests.support.raw_gguf import weights

SHARED = b"{{ .Prompt }}"
OLD = offer(model=weights(seed=1), template=SHARED, params=b'{"top_k":3}')
NEW = offer(model=weights(2 * BLOCK + 99, seed=2), template=SHARED)
OTHER = offer(model=weights(seed=3), template=SHARED)

KILL, TORN = Fault(how="kill"), Fault(how="torn")
FULL, BAD = Fault(how="ENOSPC", lasting=True), Fault(how="EIO")
OTHERS = [
    Fault(how="EDQUOT", lasting=True),
    Fault(how="EFBIG"),
    Fault(how="EACCES"),
]


@dataclass
class Registry:
    """A registry whose one name means the old model or the new one, and another's that stays."""

    server: Server
    current: Offer

    @property
    def name(self) -> str:
        return name_on(self.server).full

    @property
    def other(self) -> str:
        return self.name.replace("/it:", "/other:")


@dataclass
class Case:
    """A command, run on a store as `prepare` leaves it."""

    command: list[str]
    before: Path
    after: Path  # what the command makes of it
    num_calls: int
    registry: Registry

    def served(self) -> int:
        """Bytes of blobs that the registry has sent so far."""
        self.registry.server.settle()
        return self.registry.server.served

    def needed(self, models: Path) -> int:
        """Bytes that the command has to fetch there."""
        return missing(models) if self.command[0] == "pull" else 0


@contextmanager
def serving() -> Iterator[Registry]:
    def answer(asked: Asked, reply: Reply) -> None:
        (OTHER if "/other/" in asked.path else registry.current).answer(asked, reply)

    with misbehaving(answer) as server:
        registry = Registry(server, OLD)
        yield registry


@contextmanager
def prepared(host: Host, folder: Path, operation: str) -> Iterator[Case]:
    """The case of an operation: two models are here that share a blob, and something that nobody needs."""
    before, after = folder / "before", folder / "after"
    source = folder / "weights.gguf"
    source.write_bytes(weights(seed=4))
    with serving() as registry:
        for command in (
            ["pull", registry.name],
            ["pull", registry.other],
            ["upload", "nobody needs this"],
        ):
            assert host.run(before, *command).passed
        registry.current = NEW
        if operation == "resume":
            _stop_half_way(host, before, registry.name)
        command = {
            "pull": ["pull", registry.name],
            "resume": ["pull", registry.name],
            "first": ["pull", registry.name],
            "copy": ["copy", registry.name, "elsewhere"],
            "builtin": ["copy", "tiny", "small"],
            "replace": ["copy", registry.other, registry.name],
            "remove": ["remove", registry.name],
            "upload": ["upload", "a blob that comes over the API"],
            "adopt": ["adopt", registry.name, str(source)],
            "create": ["create", registry.name, registry.other],
            "build": ["build", registry.name, str(source)],
            "quantize": ["create", registry.name, registry.other, "Q4_0"],
            "prune": ["prune"],
        }[operation]
        if operation == "first":
            shutil.rmtree(before)
            before.mkdir()
        shutil.copytree(before, after)
        outcome = host.run(after, *command)
        assert outcome.passed, outcome
        yield Case(command, before, after, len(outcome.calls), registry)


def _stop_half_way(host: Host, models: Path, name: str) -> None:
    """Kill the pull when a block has come."""
    for at in range(1, 1000):
        trial = models.with_name("trial")
        shutil.copytree(models, trial)
        host.run(trial, "pull", name, fault=Fault(at))
        found = judge.num_completed(trial)
        if found:
            shutil.rmtree(models)
            trial.rename(models)
            return
        shutil.rmtree(trial)
    raise AssertionError("no block ever came")


def missing(models: Path) -> int:
    """Bytes of the new model that are neither here nor marked as here."""
    num_bytes = 0
    for digest, data in NEW.blobs.items():
        blob = models / "blobs" / digest.replace(":", "-")
        if not blob.exists():
            marks = judge.marks(blob)
            blocks = range(0, len(data), BLOCK)
            num_bytes += sum(
                min(BLOCK, len(data) - start)
                for start, mark in zip(blocks, marks or bytes(len(blocks)), strict=True)
                if not mark
            )
    return num_bytes


def check(case: Case, host: Host, models: Path, outcome: Outcome) -> int:
    """What must hold after whatever happened, and that the same command then does its work; the bytes it fetches."""
    assert not outcome.error.startswith("raw"), outcome
    assert str(models.parent) not in outcome.sentence
    judge.check_sound(models)
    _check_names(case, models)
    needed, served = case.needed(models), case.served()
    assert needed <= case.needed(case.before)  # what had come is still here
    again = host.run(models, *case.command)
    assert again.passed or _is_done(case, again), again
    assert case.served() - served == needed  # not a byte twice
    judge.check_sound(models)
    assert judge.manifests(models) == judge.manifests(case.after)
    for folder in (models, case.after):
        assert host.run(folder, "prune").passed
    judge.check_tidy(models)
    assert judge.state(models) == judge.state(case.after)
    return needed


def _check_names(case: Case, models: Path) -> None:
    """Each name means what it meant, or what it is to mean."""
    before, after = judge.manifests(case.before), judge.manifests(case.after)
    now = judge.manifests(models)
    for name in before.keys() | after.keys() | now.keys():
        assert now.get(name) in (before.get(name), after.get(name)), name


def _is_done(case: Case, again: Outcome) -> bool:
    """What has been removed cannot be removed again."""
    return case.command[0] == "remove" and again.error == "ModelNotFound"


@dataclass(frozen=True)
class Loop:
    """Makes the N-th call of an operation go wrong, for each N, or every so many, until the operation passes."""

    host: Host
    folder: Path
    tally: Tally

    def run(self, operation: str, fault: Fault, *, step: int = 1) -> None:
        num_passed = num_tried = 0
        with prepared(self.host, self.folder, operation) as case:
            for at in range(1, 10_000, step):
                outcome = self._try(case, replace(fault, at=at))
                num_tried += 1
                num_passed += outcome.passed
                if at > case.num_calls and outcome.passed:
                    break
        assert num_tried * step >= case.num_calls
        assert num_passed < num_tried  # it did go wrong
        self.tally.loops += 1
        self.tally.faults += num_tried

    def _try(self, case: Case, fault: Fault) -> Outcome:
        models = self.folder / "models"
        shutil.copytree(case.before, models)
        outcome = self.host.run(models, *case.command, fault=fault)
        self.tally.num_bytes += check(case, self.host, models, outcome)
        shutil.rmtree(models)
        return outcome


@pytest.fixture
def loop(host: Host, memory: Path, tally: Tally) -> Loop:
    return Loop(host, memory, tally)


EVERY = ("copy", "builtin", "replace", "remove", "upload", "adopt", "prune")
FIFTH = ("pull", "first", "create", "build", "resume")
OPERATIONS = (*EVERY, *FIFTH)


@pytest.mark.parametrize("operation", EVERY)
def test_killed_at_every_call(loop: Loop, operation: str) -> None:
    loop.run(operation, KILL)


@pytest.mark.parametrize("operation", FIFTH)
def test_killed_at_every_fifth_call(loop: Loop, operation: str) -> None:
    loop.run(operation, KILL, step=5)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", [FULL, BAD], ids=["full", "bad"])
def test_a_disk_that_fails(loop: Loop, operation: str, fault: Fault) -> None:
    loop.run(operation, fault, step=5)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "fault",
    [KILL, TORN, FULL, BAD, *OTHERS],
    ids=lambda fault: fault.how,
)
def test_every_fault_at_every_call(loop: Loop, operation: str, fault: Fault) -> None:
    loop.run(operation, fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [KILL, FULL], ids=["kill", "full"])
def test_another_precision(loop: Loop, fault: Fault) -> None:
    """llama.cpp makes it in a process of its own, which takes its time."""
    loop.run("quantize", fault, step=4)
