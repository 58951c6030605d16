"""A pool that is too small for all that is asked: what it pushes out comes back, from memory or the disk, and is as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from ollapy.engine.engine import Engine
from ollapy.engine.keeping import Keeping
from ollapy.kvcache.folder import Folder
from ollapy.kvcache.vault import Vault
from ollapy.llama.context import Context, open_context
from ollapy.llama.model import Model, open_model
from tests.engine.test_architectures import KINDS
from tests.support.engines import Story, agree, tell, told
from tests.support.waiting import eventually

CHATS = [[3 + (37 * chat + at * at) % 90 for at in range(240)] for chat in range(8)]


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Model]:
    KINDS[request.param](path := tmp_path / "model.gguf")
    with open_model([path], on_progress=lambda _: None) as model:
        yield model


@pytest.fixture
def context(model: Model) -> Iterator[Context]:
    """A pool of two chats and a half."""
    with open_context(
        model, num_cells=640, max_sequences=3, num_batch=128, num_threads=1
    ) as context:
        yield context


class Kept:
    """An engine, and what it keeps. Each has an empty pool."""

    def __init__(
        self, model: Model, context: Context, folder: Folder, max_ram: int
    ) -> None:
        context.clear()
        self._todo = SimpleQueue[Callable[[], None]]()
        self._engine = Engine(model, context)
        self.vault = Vault(folder, anywhere=context.can_rewind, max_ram=max_ram)
        self._keeping = Keeping(
            self._engine, context, self.vault, self._todo.put, lambda _: None
        )

    def told(self, chat: list[int]) -> tuple[Story, int]:
        """What is said, and how many tokens came back for it."""
        sequence = tell(chat, max_tokens=6)
        self._keeping.add(sequence)
        if not self._engine.has_work:
            self._todo.get(timeout=10)()
        outputs = []
        while self._engine.has_work:
            outputs += self._engine.step()
            self._engine.check()
        logprobs = [output.logprob for output in outputs if output.logprob]
        return Story(logprobs, sequence.tokens[len(chat) :]), sequence.num_restored

    def close(self) -> None:
        """Keep the rest, too."""
        self._keeping.close(10.0)

    @property
    def size(self) -> int:
        """Bytes of branches in the machine's memory."""
        return sum(branch.outline.size for branch in self.vault.kept)


@pytest.fixture
def expected(model: Model, context: Context) -> list[Story]:
    """What is said to each chat where nothing is kept."""
    context.clear()
    engine = Engine(model, context)
    stories = [told(engine, tell(chat, max_tokens=6)) for chat in CHATS]
    engine.close()
    return stories


def test_what_is_pushed_out_comes_back(
    model: Model, context: Context, expected: list[Story], tmp_path: Path
) -> None:
    """Chats by turns, while the machine's memory has room for all of them, and then for two."""
    folders = [Folder(tmp_path / "kv", 1 << 30, name) for name in ("ample", "tight")]
    max_ram, sizes = 1 << 30, []
    for folder in folders:
        kept = Kept(model, context, folder, max_ram)
        for number, chat in enumerate(CHATS * 2):
            story, restored = kept.told(chat)

            assert agree(expected[number % len(CHATS)], story), number
            assert bool(restored) == (number >= len(CHATS)), number
            assert kept.size <= 2 * max_ram
            eventually(lambda: kept.size <= max_ram, "it is not written")  # noqa: B023
        sizes.append(kept.size)
        max_ram = 2 * kept.size // len(kept.vault.kept)
        on_disk = len(folder.outlines())
        kept.close()
        assert len(folder.outlines()) >= len(CHATS)

        assert bool(on_disk) == (folder is folders[1])
    assert sizes[1] < sizes[0]
