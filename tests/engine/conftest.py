"""A real engine on a real model; one model and context for all tests of the folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ollapy.engine.engine import Engine
from ollapy.engine.sequence import Sequence
from ollapy.llama.context import Context, open_context
from ollapy.llama.model import Model, open_model
from tests.conftest import TINY


@pytest.fixture(scope="session")
def open_file() -> Iterator[Callable[[Path], Model]]:
    """Loads model files, freed at the end of the session."""
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(
            open_model([path], on_progress=lambda _: None)
        )


@pytest.fixture(scope="session")
def model(open_file: Callable[[Path], Model]) -> Model:
    """The tiny model."""
    return open_file(TINY)


@pytest.fixture(scope="session")
def context(model: Model) -> Iterator[Context]:
    """A pool of four times the tiny model's context."""
    with open_context(
        model, num_cells=16384, max_sequences=32, num_batch=512, num_threads=2
    ) as context:
        yield context


@pytest.fixture
def engine(model: Model, context: Context) -> Iterator[Engine]:
    """An engine with an empty pool."""
    engine = Engine(model, context)
    yield engine
    engine.close()
    context.clear()


@pytest.fixture
def ask(model: Model) -> Callable[..., Sequence]:
    """Makes sequences: a question in the tiny model's template, with sampling parameters."""
    from tests.support.engines import question

    return lambda text, **kwargs: question(model, text, **kwargs)
