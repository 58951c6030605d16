"""What no longer fits into the model's memory rests in the machine's first, then on the disk, and never takes more than it may."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from ollapy.kvcache.branch import Branch, Outline, as_tokens
from ollapy.kvcache.folder import Folder
from ollapy.kvcache.vault import Vault
from tests.support.branches import branch
from tests.support.waiting import eventually

SIZE = 1000
WHOLE = branch(size=SIZE).outline.size


class SlowFolder(Folder):
    """Writes when it is let."""

    def __init__(self, root: Path) -> None:
        super().__init__(root / "kv", 1 << 20, "a model")
        self.may_write = Event()

    def write(self, branch: Branch, deadline: float) -> bool:
        self.may_write.wait(10)
        return super().write(branch, deadline)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[SlowFolder]:
    found = SlowFolder(tmp_path)
    yield found
    found.may_write.set()


def part(number: int) -> Branch:
    return branch(first=100 * number + 1, size=SIZE)


def prompt(number: int) -> Outline:
    return part(number).outline


def lengths(vault: Vault, *numbers: int) -> list[int]:
    """How much of each is found."""
    asked = (as_tokens([*prompt(n).tokens, 0]) for n in numbers)
    found = (vault.find(tokens, ()) for tokens in asked)
    return [f.length if f else 0 for f in found]


def fetched(vault: Vault, number: int) -> Branch | None:
    got: list[Branch | None] = []
    vault.fetch(prompt(number).name, got.append)
    eventually(lambda: bool(got), "it does not come")
    return got[0]


def test_the_oldest_go_to_the_disk(folder: SlowFolder) -> None:
    vault = Vault(folder, anywhere=True, max_ram=2 * WHOLE)
    for number in range(4):
        vault.put(part(number))
    folder.may_write.set()
    eventually(lambda: len(vault.kept) == 2, "nothing leaves the memory")

    assert [b.outline.name for b in vault.kept] == [prompt(2).name, prompt(3).name]
    assert folder.outlines().keys() == {prompt(0).name, prompt(1).name}
    assert lengths(vault, 0, 1, 2, 3) == [8, 8, 8, 8]
    for number in range(4):
        got = fetched(vault, number)
        assert got is not None
        assert got.outline.tokens.tolist() == prompt(number).tokens.tolist()


def test_what_is_used_again_stays(folder: SlowFolder) -> None:
    folder.may_write.set()
    vault = Vault(folder, anywhere=True, max_ram=2 * WHOLE)
    vault.put(part(0))
    vault.put(part(1))
    fetched(vault, 0)
    vault.put(part(2))
    eventually(lambda: len(vault.kept) == 2, "nothing leaves the memory")

    assert {b.outline.name for b in vault.kept} == {prompt(0).name, prompt(2).name}


def test_a_slow_disk(folder: SlowFolder) -> None:
    """What waits for it is found meanwhile; beyond the limit the oldest are lost, and memory is not."""
    vault = Vault(folder, anywhere=True, max_ram=2 * WHOLE)
    for number in range(40):
        vault.put(part(number))
        assert sum(b.outline.size for b in vault.kept) <= 4 * WHOLE

    assert lengths(vault, 0, 1, 2, 37, 38, 39) == [8, 8, 0, 0, 8, 8]
    assert fetched(vault, 0) is not None

    folder.may_write.set()
    assert vault.close(vault.kept, time.monotonic() + 10) >= 2
    assert folder.outlines().keys() == {prompt(n).name for n in (0, 1, 38, 39)}


def test_one_that_is_larger_than_all_that_may_rest(folder: SlowFolder) -> None:
    vault = Vault(folder, anywhere=True, max_ram=WHOLE // 2)
    vault.put(part(0))
    assert lengths(vault, 0) == [8]

    folder.may_write.set()
    eventually(lambda: not vault.kept, "it stays in memory")
    assert fetched(vault, 0) is not None


def test_closing_waits_no_longer_than_it_may(folder: SlowFolder) -> None:
    vault = Vault(folder, anywhere=True, max_ram=WHOLE)
    vault.put(part(0))
    vault.put(part(1))

    assert vault.close(vault.kept, time.monotonic() - 1) == 0
    assert not folder.outlines()


def test_a_model_that_is_gone_needs_nothing(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.touch()
    folder = Folder(tmp_path / "kv", 1 << 20, "a model", "sha256:1", [weights])
    assert folder.write(branch(), math.inf)
    weights.unlink()
    assert not folder.write(branch(first=100), math.inf)
