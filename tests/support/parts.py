"""Files that a model consists of beside a whole one: the parts of a split model, and projectors."""

from __future__ import annotations

from pathlib import Path
from struct import pack
from typing import Any

import gguf
import numpy as np

_ALIGNMENT = 32
_U16 = 2


def split(path: Path, folder: Path, count: int) -> list[Path]:
    """Cut a model into `count` files as llama.cpp's tool would."""
    reader = gguf.GGUFReader(path)
    keys = [
        b"".join(part.tobytes() for part in field.parts)
        for name, field in reader.fields.items()
        if not name.startswith("GGUF.")
    ]
    tensors = list(reader.tensors)
    size = -(-len(tensors) // count)
    paths = []
    for number in range(count):
        own = tensors[number * size : (number + 1) * size]
        place = [_u16("split.no", number), _u16("split.count", count)]
        total = [_key("split.tensors.count") + pack("<Ii", 5, len(tensors))]
        part = folder / f"{path.stem}-{number + 1:05}-of-{count:05}.gguf"
        part.write_bytes(_file([*([] if number else keys), *place, *total], own))
        paths.append(part)
    return paths


def _key(name: str) -> bytes:
    return pack("<Q", len(name)) + name.encode()


def _u16(name: str, value: int) -> bytes:
    return _key(name) + pack("<IH", _U16, value)


def _file(keys: list[bytes], tensors: list[Any]) -> bytes:
    out = [pack("<4sIQQ", b"GGUF", 3, len(tensors), len(keys)), *keys]
    data = bytearray()
    for tensor in tensors:
        shape = [int(size) for size in tensor.shape]
        out.append(_key(tensor.name) + pack(f"<I{len(shape)}Q", len(shape), *shape))
        out.append(pack("<IQ", tensor.tensor_type, len(data)))
        data += _padded(tensor.data.tobytes())
    return _padded(b"".join(out)) + data


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)


def write_projector(path: Path, *, width: int = 32, output: int = 256) -> Path:
    """The header and one tensor of a projector: enough to be stored and described, not to be run."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_uint32("clip.vision.embedding_length", width)
    writer.add_uint32("clip.vision.projection_dim", output)
    writer.add_tensor("mm.0.weight", np.ones((output, width), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
