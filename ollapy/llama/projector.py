"""Projector: what turns pictures and sounds into embeddings that a text model reads like tokens (libmtmd).

It is given files of known kinds and checked sizes only: libmtmd aborts the process on some others, and runs other
programs on bytes that it does not know.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ollapy.errors import InvalidRequest, LoadFailed, RunnerError

from .library import log, mtmd, raw
from .model import Model, reason

Floats = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int32]

_TEXT, _IMAGE = 0, 1  # MTMD_INPUT_CHUNK_TYPE_
_DIMENSIONS = 4  # of a position with rows and columns


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A part of a picture or sound that is encoded at once; `key` tells it from all others.

    It takes `num_tokens` cells and `num_positions` positions. Where it is not causal all of its cells see each
    other. It lives by the medium that it is a part of.
    """

    projector: Projector
    medium: _Medium
    handle: Any
    key: int
    num_tokens: int
    num_positions: int
    is_causal: bool

    def positions(self, start: int) -> Positions:
        """Where its cells are when it begins at a position, shape (1 or 4, tokens)."""
        along = start + np.arange(self.num_tokens, dtype=np.int32)
        if not self.projector.has_grid:
            return along[np.newaxis]
        image = mtmd.mtmd_input_chunk_get_tokens_image(self.handle)
        if not image:  # a sound has no rows and columns
            return np.tile(along, (_DIMENSIONS, 1))
        found = (mtmd.mtmd_decoder_pos * self.num_tokens)()
        mtmd.mtmd_helper_image_get_decoder_pos(image, start, found)
        grid = np.frombuffer(found, np.uint32).reshape(-1, _DIMENSIONS).T
        return grid[[0, 2, 1, 3]].astype(np.int32)  # time, row, column

    def encode(self) -> Floats:
        """Its embeddings, shape (tokens, width); one at a time for a projector, and nothing can stop it."""
        return self.projector.encode(self)


class _Medium:
    """The chunks of one picture or sound, freed when nobody has any of them."""

    def __init__(self) -> None:
        self.handle = mtmd.mtmd_input_chunks_init()
        weakref.finalize(self, mtmd.mtmd_input_chunks_free, self.handle)


class Projector:
    """A loaded projector. `read` works on any thread, encoding on one at a time."""

    def __init__(self, handle: Any, width: int) -> None:
        self._handle = handle
        self._width = width
        # what it cannot decode itself it gives to ffmpeg, which is not to be found there
        self._options = mtmd.mtmd_helper_init_opt_default()
        self._options.video_params.ffmpeg_bin_dir = os.devnull.encode()
        self._reading = threading.Lock()  # a large picture takes hundreds of megabytes
        self.has_grid = bool(mtmd.mtmd_decode_use_mrope(handle))

    def read(self, data: bytes, key: int) -> list[list[int] | Chunk]:
        """What a file becomes: tokens, chunks, and tokens again; InvalidRequest where it cannot be decoded.

        `key` stands for the content. The data is an image or sound of a kind and size that was checked.
        """
        with self._reading, self._bitmap(data) as bitmap:
            medium = _Medium()
            part = mtmd.mtmd_input_part(None, bitmap)
            parts = (ctypes.POINTER(mtmd.mtmd_input_part) * 1)(ctypes.pointer(part))
            code = mtmd.mtmd_tokenize_from_parts(
                self._handle, medium.handle, parts, 1, False
            )
        if code != 0:
            raise InvalidRequest("the model cannot take this kind of image or sound")
        count = mtmd.mtmd_input_chunks_size(medium.handle)
        return [self._part(medium, index, key) for index in range(count)]

    def encode(self, chunk: Chunk) -> Floats:
        """A chunk's embeddings, copied."""
        if mtmd.mtmd_encode_chunk(self._handle, chunk.handle) != 0:
            raise RunnerError("the model could not encode the image")
        found = mtmd.mtmd_get_output_embd(self._handle)
        shape = (chunk.num_tokens, self._width)
        return np.array(np.ctypeslib.as_array(found, shape))

    @contextmanager
    def _bitmap(self, data: bytes) -> Iterator[Any]:
        buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
        bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(
            self._handle, buffer, len(data), False, self._options
        )
        if not bitmap:
            raise InvalidRequest("the image could not be decoded")
        try:
            yield bitmap
        finally:
            mtmd.mtmd_bitmap_free(bitmap)

    def _part(self, medium: _Medium, index: int, key: int) -> list[int] | Chunk:
        handle = mtmd.mtmd_input_chunks_get(medium.handle, index)
        if mtmd.mtmd_input_chunk_get_type(handle) == _TEXT:
            count = ctypes.c_size_t()
            found = mtmd.mtmd_input_chunk_get_tokens_text(handle, ctypes.byref(count))
            return list(found[: count.value])
        return Chunk(
            self,
            medium,
            handle,
            key + index,
            mtmd.mtmd_input_chunk_get_n_tokens(handle),
            mtmd.mtmd_input_chunk_get_n_pos(handle),
            not mtmd.mtmd_decode_use_non_causal(self._handle, handle),
        )


@contextmanager
def open_projector(
    path: Path, model: Model, *, num_threads: int, uses_gpu: bool
) -> Iterator[Projector]:
    """The loaded projector, freed at the end, before its model; LoadFailed with libmtmd's own reason."""
    params = mtmd.mtmd_context_params_default()
    params.use_gpu = uses_gpu
    params.n_threads = num_threads
    params.print_timings = False
    params.warmup = False
    log.complaints.clear()
    handle = mtmd.mtmd_init_from_file(os.fsencode(path), model.handle, params)
    if not handle:
        raise LoadFailed(
            f"llama.cpp could not load the model's projector: {reason([path])}"
        )
    try:
        yield Projector(handle, raw.llama_model_n_embd_inp(model.handle))
    finally:
        mtmd.mtmd_free(handle)
