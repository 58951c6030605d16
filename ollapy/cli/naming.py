"""Names for models that come without one: of what their files, or they themselves, are called."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

import msgspec

from ollapy.decoding import from_json
from ollapy.gguf import Header
from ollapy.gguf.filenames import GgufModel
from ollapy.names import TAG

_MAX_PART = 80
_MAX_CONFIG = 1 << 20
# What says nothing: the digest that a cache calls a file or folder, or a word that fits any model.
_MEANINGLESS = re.compile(
    r"(sha256-)?[0-9a-f]{32,}|(ggml-|gguf-|pytorch_)?(model|weights|checkpoint|consolidated)[-_.0-9]*|\W*",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"[-_.]?gguf$", re.IGNORECASE)
_DTYPES = {"bfloat16": "bf16", "float16": "f16", "float32": "f32"}


def gguf_name(model: GgufModel, header: Header, folder: Path) -> str:
    """Of the file's name, or where that says nothing of the name in the file, or of its folder's."""
    inside = header.metadata.get("general.name")
    called = (model.first.model, inside, folder.resolve().name)
    quant = model.first.quant or header.file_type
    return _name(called, "" if quant == "unknown" else quant)


def folder_name(folder: Path) -> str:
    """Of the folder's name, or in the cache of huggingface-hub of the repository's."""
    path = folder.resolve()
    config = _config(folder)
    cached = [p.name.rpartition("--")[2] for p in path.parents if "--" in p.name]
    called = (path.name, *cached[:1], config.get("_name_or_path"))
    dtype = config.get("dtype") or config.get("torch_dtype")
    return _name(called, _DTYPES.get(str(dtype), ""))


def with_tag(name: str, tag: str) -> str:
    """The name with another tag."""
    return f"{name.partition(':')[0]}:{tag.lower()}"


def _name(called: tuple[object, ...], tag: str) -> str:
    texts = (text.rpartition("/")[2] for text in called if isinstance(text, str))
    good = (text for text in texts if not _MEANINGLESS.fullmatch(text))
    model = next(filter(None, map(_part, good)), "model")
    return f"{model}:{_part(tag) or TAG}"


def _part(text: str) -> str:
    """What of a text may be a part of a name."""
    letters = unicodedata.normalize("NFKD", _SUFFIX.sub("", text.strip()).lower())
    plain = "".join(c for c in letters if not unicodedata.combining(c))
    part = re.sub(r"[^a-z0-9_.-]+", "-", plain).strip("-.")
    return part[:_MAX_PART].rstrip("-.")


def _config(folder: Path) -> dict[str, Any]:
    try:
        with (folder / "config.json").open("rb") as file:
            return from_json(file.read(_MAX_CONFIG), dict[str, Any])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}  # whatever is wrong with it, the conversion says it
