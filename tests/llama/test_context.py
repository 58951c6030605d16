"""What llama.cpp cannot make is an error in words, and the process lives on."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from ollapy.errors import LoadFailed
from ollapy.llama.context import open_context
from ollapy.llama.model import Model, open_model
from tests.conftest import TINY


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    """The tiny model."""
    with open_model([TINY], on_progress=lambda _: None) as model:
        yield model


@contextmanager
def little_memory() -> Iterator[None]:
    """The process gets no more than a gigabyte beyond what it has, however much the machine could give."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    most = psutil.Process().memory_info().vms + (1 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize(
    ("num_cells", "max_sequences", "reason"),
    [(1 << 24, 4, "bad_alloc|allocate"), (512, 300, "n_seq_max")],
    ids=["memory", "sequences"],
)
def test_a_context_that_cannot_be_made(
    model: Model, num_cells: int, max_sequences: int, reason: str
) -> None:
    with (
        little_memory(),
        pytest.raises(LoadFailed, match=reason),
        open_context(
            model,
            num_cells=num_cells,
            max_sequences=max_sequences,
            num_batch=64,
            num_threads=1,
        ),
    ):
        pass
