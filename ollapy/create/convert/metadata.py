"""Metadata: what a GGUF says of itself beside its architecture and its vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

import gguf

from .config import Config
from .folder import Folder
from .weights import Weight

Value: TypeAlias = "bool | int | float | str | list[str] | list[int] | list[float]"

_FILE_TYPES = {"F32": 0, "F16": 1, "BF16": 32}
_MAX_README = 1 << 20
_LICENSE = re.compile(r"^license: *['\"]?([A-Za-z0-9.+-]{1,60})['\"]? *$", re.MULTILINE)
_NAME = re.compile(r"[\w.+ -]{1,100}")


def general(
    folder: Folder, config: Config, weights: list[Weight], out_type: str
) -> dict[str, Value]:
    """The `general` keys; the name and the licence where the files say them."""
    keys: dict[str, Value] = {
        "general.type": "model",
        "general.file_type": _FILE_TYPES[out_type],
        "general.quantization_version": int(gguf.GGML_QUANT_VERSION),
        "general.size_label": _size_label(weights),
    }
    name = str(config.get("_name_or_path") or "").replace("\\", "/").split("/")[-1]
    if _NAME.fullmatch(name):
        keys["general.name"] = name
    head = (folder.text("README.md", limit=_MAX_README) or "").split("\n---", 1)[0]
    if head.startswith("---") and (found := _LICENSE.search(head)):
        keys["general.license"] = found[1]
    return keys


def _size_label(weights: Iterable[Weight]) -> str:
    """Such as "8B", or "8x7B" for a model of experts."""
    stacked = [w for w in weights if w.is_stacked]
    shared = sum(w.size for w in weights if not w.is_stacked)
    count = len(stacked[0].sources) if stacked else 0
    each = sum(w.size // count for w in stacked)
    label: str = gguf.size_label(shared + each * count, shared, each, count)
    return label
