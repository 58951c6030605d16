"""The Modelfile that `ollapy create` reads: a file, what is piped in, or none."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from ollapy.create.parameters import DEPRECATED
from ollapy.errors import InvalidRequest, NotFound
from ollapy.modelfile import Modelfile, decode, parse
from ollapy.text import clean

from .output import talk

_DEFAULT = "Modelfile"
_MAX_BYTES = 16 << 20


def read_modelfile(file: str | None) -> tuple[Modelfile, Path]:
    """The Modelfile, and the folder that its paths are relative to.

    `-` is what is piped in. Where no file is named and none is here it stands for the files in this folder.
    """
    path = Path(file or _DEFAULT)
    if file is None and not path.exists():
        talk("No Modelfile here, the model is made of the files in this folder.")
        return Modelfile((".",)), Path()
    data = _read(path)
    try:
        return _supported(parse(decode(data))), path.parent
    except InvalidRequest as exc:
        raise InvalidRequest(f"{clean(str(path))}: {exc}") from exc


def _supported(modelfile: Modelfile) -> Modelfile:
    """Without the parameters that nothing heeds any more, of which the user is told."""
    ignored = {name for name, _ in modelfile.parameters} & DEPRECATED
    for name in sorted(ignored):
        talk(f"Warning: PARAMETER {name} is ignored, nothing heeds it any more.")
    kept = tuple(p for p in modelfile.parameters if p.name not in ignored)
    return replace(modelfile, parameters=kept)


def _read(path: Path) -> bytes:
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with path.open("rb") as opened:
                data = opened.read(_MAX_BYTES + 1)
    except OSError as exc:
        raise NotFound(f"could not read '{clean(str(path))}': {exc.strerror}") from exc
    if len(data) > _MAX_BYTES:
        raise InvalidRequest(f"'{clean(str(path))}' is larger than {_MAX_BYTES} bytes")
    return data
