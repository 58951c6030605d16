"""Model: the weights of one loaded file."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

from ollapy.api.engine import Place
from ollapy.errors import LoadFailed

from .devices import Placed
from .library import log, raw
from .metadata import metadata
from .vocabulary import Vocabulary

_ON_CPU = Place()
_READ_NOTHING = 0  # LLAMA_LOAD_MODE_NONE
# LLAMA_ROPE_TYPE_: MROPE and IMROPE
_GRIDS = (8, 40)
_MAX_SEQUENCES, _MAX_STATES = 256, 16
# Architectures whose tokens see those after them too, whatever the file says.
_BOTH_WAYS = {
    "bert",
    "dream",
    "eurobert",
    "gemma-embedding",
    "jina-bert-v2",
    "jina-bert-v3",
    "llada",
    "llada-moe",
    "modern-bert",
    "neo-bert",
    "nomic-bert",
    "nomic-bert-moe",
    "rnd1",
    "t5",
    "t5encoder",
    "wavtokenizer-dec",
}


class Pooling(IntEnum):
    """What becomes of a text's tokens: a vector, or with RANK scores. The numbers are llama.cpp's."""

    MEAN = 1
    CLS = 2
    LAST = 3
    RANK = 4


class Model:
    """Weights on their devices, and what kind of model they make."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.vocabulary = Vocabulary(handle)
        self.num_ctx_train: int = raw.llama_model_n_ctx_train(handle)

    def metadata(self, key: str) -> str | None:
        """A scalar of the file's metadata as text; None where absent, and for arrays."""
        return metadata(self.handle, key)

    def hyperparameter(self, name: str) -> str | None:
        """A value that the file keeps under its architecture's name."""
        return self.metadata(f"{self.metadata('general.architecture')}.{name}")

    @property
    def is_embedding(self) -> bool:
        """Whether the model makes vectors and no text."""
        return (
            self.hyperparameter("pooling_type") is not None
            or self.hyperparameter("attention.causal") == "false"
        )

    @property
    def pooling(self) -> Pooling:
        """How the model makes vectors: by the mean where the file names no way."""
        declared = self.hyperparameter("pooling_type")
        return Pooling(int(declared)) if declared in set("1234") else Pooling.MEAN

    @property
    def is_causal(self) -> bool:
        """Whether a token sees only those before it, so that a long text can be read in parts."""
        return not (
            self.metadata("general.architecture") in _BOTH_WAYS
            or self.hyperparameter("attention.causal") == "false"
        )

    @property
    def pools_last(self) -> bool:
        """Whether a vector is made of a text's last token alone, which has seen all others."""
        return self.is_causal and self.pooling in (Pooling.LAST, Pooling.RANK)

    @property
    def has_state(self) -> bool:
        """Whether a state stands for all tokens before, which cannot be cut back: recurrent and hybrid."""
        return bool(
            raw.llama_model_is_recurrent(self.handle)
            or raw.llama_model_is_hybrid(self.handle)
        )

    @property
    def has_grid(self) -> bool:
        """Whether a position has a row and a column (M-RoPE), for the cells of pictures."""
        return raw.llama_model_rope_type(self.handle) in _GRIDS

    @property
    def has_encoder(self) -> bool:
        """Whether the prompt goes to an encoder, and a decoder answers (T5)."""
        return bool(
            raw.llama_model_has_encoder(self.handle)
            and raw.llama_model_has_decoder(self.handle)
        )

    @property
    def max_sequences(self) -> int:
        """How many sequences are worth holding at once, for what each takes besides cells.

        A recurrent state or a window's cells are reserved for every one of them, and llama.cpp keeps
        one encoder's output at a time.
        """
        if self.has_encoder:
            return 1
        has_window = raw.llama_model_n_swa(self.handle) > 0
        return _MAX_STATES if self.has_state or has_window else _MAX_SEQUENCES

    @property
    def chat_template(self) -> str | None:
        """The Jinja source that the file carries."""
        source = raw.llama_model_chat_template(self.handle, None)
        return source.decode("utf-8", "replace") if source else None

    @property
    def tools_template(self) -> str | None:
        """The one for conversations with tools: a variant of its own where the file has one."""
        source = raw.llama_model_chat_template(self.handle, b"tool_use")
        return source.decode("utf-8", "replace") if source else self.chat_template

    @property
    def rerank_template(self) -> str | None:
        """The text with `{query}` and `{document}` in it that a reranker's file may carry."""
        source = raw.llama_model_chat_template(self.handle, b"rerank")
        return source.decode("utf-8", "replace") if source else None


def _has_amx() -> bool:
    """Whether this CPU would take llama.cpp's AMX path, which a common compiler builds wrongly.

    ggml sets up its tile configuration in a local struct, and GCC 12's `_tile_loadconfig` claims to
    read only its first 8 bytes: the other stores are dropped and the first matrix product of a
    quantised model ends in SIGSEGV. Seen in 0.3.36 built by pip; repacked weights go with it.
    """
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "amx_int8" in cpuinfo.read_text()


@contextmanager
def open_model(
    parts: Sequence[Path],
    *,
    place: Place = _ON_CPU,
    on_progress: Callable[[float], None],
    is_dry: bool = False,
) -> Iterator[Model]:
    """The loaded model, freed at the end; LoadFailed with llama.cpp's own reason.

    `parts` are its files in order. `on_progress` is called with 0 to 1 on the loading thread. One that `is_dry`
    has no weights, and its contexts no memory: they are there to see how large they would be.
    """

    def report(progress: float, _data: object) -> bool:
        on_progress(progress)
        return True

    callback = raw.llama_progress_callback(report)  # referenced until the load is over
    params = raw.llama_model_default_params()
    placed = Placed(place)
    placed.apply(params)
    params.progress_callback = callback
    params.use_extra_bufts = not _has_amx()
    if is_dry:
        params.no_alloc, params.load_mode = True, _READ_NOTHING
    log.complaints.clear()
    paths = (ctypes.c_char_p * len(parts))(*map(os.fsencode, parts))
    with log.measuring():
        handle = raw.llama_model_load_from_splits(paths, len(parts), params)
    if not handle:
        raise LoadFailed(f"llama.cpp could not load the model: {reason(parts)}")
    try:
        yield Model(handle)
    finally:
        raw.llama_model_free(handle)
        del placed  # llama.cpp's copy of the parameters pointed to it


def reason(files: Sequence[Path] = ()) -> str:
    """What llama.cpp complained about, with no path of this machine."""
    complaints = "; ".join(dict.fromkeys(log.complaints))
    for path in files:
        complaints = complaints.replace(str(path), path.name)
    return complaints or "no reason given"
