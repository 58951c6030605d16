"""What a person calls a model who means a file."""

from __future__ import annotations

from pathlib import Path

from ollapy.errors import InvalidRequest

_FILES = (".gguf", ".safetensors")
_STARTS = ("./", "../", "/", "~", ".\\")


def check_called(text: str) -> None:
    """InvalidRequest where a model is called by a path, with the command that gives it a name."""
    path = Path(text).expanduser()
    is_path = text.startswith(_STARTS) or text == "."
    is_file = path.suffix.lower() in _FILES and (path.exists() or path.name == text)
    if not (is_path or is_file):
        return
    if not path.exists():
        raise InvalidRequest(
            f"'{text}' is a path and no model's name, and nothing is there"
        )
    if path.name == "Modelfile":
        raise InvalidRequest(
            f"'{text}' is a Modelfile: `ollapy create NAME -f {text}` makes a model of it"
        )
    raise InvalidRequest(
        f"'{text}' is a path and no model's name: `ollapy import {text}` gives it one"
    )
