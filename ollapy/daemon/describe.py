"""A model in words and figures, as `/api/tags` and `/api/show` report it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ollapy.api.ollama import Details, TensorRow
from ollapy.gguf import Array, Header
from ollapy.store import Model
from ollapy.units import format_parameters

_LEFT_OUT = ("general.name", "tokenizer.chat_template")


def details(model: Model, *, lengths: bool = False) -> Details:
    """The `details` object; the two lengths are only in some answers."""
    header = model.header
    return Details(
        parent_model=model.parent or "",
        format="gguf",
        family=header.architecture,
        families=[header.architecture],
        parameter_size=format_parameters(header.num_parameters),
        quantization_level=header.file_type,
        context_length=header.context_length if lengths else 0,
        embedding_length=header.embedding_length if lengths else 0,
    )


def parameter_lines(parameters: Mapping[str, object]) -> str:
    """One line a value, the name padded to 30 columns, strings quoted."""
    values = [
        (name, item)
        for name, value in parameters.items()
        for item in (value if isinstance(value, list | tuple) else [value])
    ]
    return "\n".join(
        f"{name:<30} {msgspec.json.encode(item).decode()}" for name, item in values
    )


def model_info(header: Header, *, verbose: bool) -> dict[str, Any]:
    """The file's metadata, long arrays emptied, with the number of weights counted."""
    info = {
        key: _value(value)
        for key, value in header.metadata.items()
        if key not in _LEFT_OUT
    }
    return {**info, "general.parameter_count": header.num_parameters}


def _value(value: object) -> object:
    return [] if isinstance(value, Array) else value


def tensor_rows(header: Header) -> list[TensorRow]:
    """Name, type and shape of every tensor."""
    return [TensorRow(t.name, t.type_name, list(t.shape)) for t in header.tensors]
