"""What a person calls a model: by a name, or by a file that is meant."""

from __future__ import annotations

from pathlib import Path

from ollapy.errors import InvalidName, InvalidRequest
from ollapy.names import ModelName

_FILES = (".gguf", ".safetensors")
_STARTS = ("./", "../", "/", "~", ".\\")


def check_called(text: str) -> None:
    """InvalidRequest where a model is called by no name, for a path with the command that gives it one."""
    path = Path(text).expanduser()
    is_path = text.startswith(_STARTS) or text == "."
    is_file = path.suffix.lower() in _FILES and (path.exists() or path.name == text)
    if not (is_path or is_file):
        check_name(text)
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


def check_name(text: str) -> None:
    """InvalidName, as Ollama's command puts it."""
    try:
        ModelName.parse(text)
    except InvalidName as exc:
        said, semicolon, hint = str(exc).partition("; ")
        named = f"{said}: {text or repr(text)}"
        raise InvalidName(f"{named}{semicolon}{hint}") from None
