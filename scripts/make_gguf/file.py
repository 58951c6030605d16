"""The GGUF file: what all architectures write in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from .tensors import Matrix, Shape, Sizes

# matrices that llama.cpp computes with in full precision only
_PRECISE = (
    *("ssm_a", "ssm_conv1d.weight", "shortconv.conv.weight"),
    *("v.position_embd.weight", "a.position_embd.weight", ".bias"),
)


def open_writer(
    path: Path,
    architecture: str,
    shape: Shape,
    *,
    kv_heads: Sequence[int] | None = None,
) -> Any:
    """A GGUF writer that holds the metadata all architectures have.

    `kv_heads` counts them layer by layer, where the layers differ.
    """
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_vocab_size(shape.vocab)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(kv_heads or shape.kv_heads)
    writer.add_feed_forward_length(shape.ffn)
    return writer


def write_tensors(writer: Any, sizes: Sizes, tensors: Iterable[Matrix]) -> None:
    """Write the file and close it; of the tensors only one need be in memory at a time."""
    types = [_stored_as(name, size) for name, size in sizes.items()]
    for (name, size), dtype in zip(sizes.items(), types, strict=True):
        nbytes = int(np.prod(size)) * dtype.itemsize
        writer.add_tensor_info(name, size, dtype, nbytes)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor, dtype in zip(tensors, types, strict=True):
        writer.write_tensor_data(tensor.astype(dtype))
    writer.close()


def _stored_as(name: str, size: tuple[int, ...]) -> np.dtype[Any]:
    half = len(size) == 2 and not name.endswith(_PRECISE)
    return np.dtype(np.float16 if half else np.float32)
