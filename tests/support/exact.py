"""llama.cpp's logits with keys and values in full precision, to compare with a definition."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ollapy.llama.context import Context
from ollapy.llama.library import raw
from ollapy.llama.model import Model, open_model


def logits(path: Path, tokens: list[int]) -> NDArray[np.float64]:
    """For every token of a text, what a model file says of the next."""
    with open_file(path) as model, _open_context(model, len(tokens)) as context:
        every = list(range(len(tokens)))
        context.decode(tokens, every, [0] * len(tokens), every)
        return context.logits(len(tokens)).astype(np.float64)


@contextmanager
def open_file(path: Path) -> Iterator[Model]:
    with open_model([path], on_progress=lambda _: None) as model:
        yield model


@contextmanager
def _open_context(model: Model, size: int) -> Iterator[Context]:
    params = raw.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = params.n_outputs_max = size
    params.n_threads = params.n_threads_batch = 2
    params.type_k = params.type_v = raw.GGML_TYPE_F32
    params.flash_attn_type = raw.LLAMA_FLASH_ATTN_TYPE_DISABLED
    context = Context(model, params, size)
    try:
        yield context
    finally:
        context.close()
