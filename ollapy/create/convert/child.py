"""The conversion as the daemon sees it: a child process, its progress and its end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ollapy.api.ollama import Progress
from ollapy.create.child import lines_of
from ollapy.decoding import from_json
from ollapy.errors import revive
from ollapy.operation import Operation
from ollapy.text import clean

logger = logging.getLogger(__name__)

_MODULE = "ollapy.create.convert"
_STATUS = "converting model"


class _Record(msgspec.Struct, frozen=True):
    completed: int = 0
    total: int = 0
    warning: str = ""
    error: str = ""
    kind: str = ""  # the error's class


def convert(
    folder: Path,
    target: Path,
    operation: Operation,
    env: Mapping[str, str],
) -> None:
    """Convert the Hugging Face model in `folder` to the GGUF `target`, of which nothing stays on failure.

    Unsupported and InvalidModel say why a model cannot be converted, Cancelled that nobody waits.
    """
    operation.status(_STATUS)
    try:
        for line in lines_of(
            _MODULE, str(folder), str(target), env=env, operation=operation
        ):
            _relay(from_json(line, _Record), operation)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _relay(record: _Record, operation: Operation) -> None:
    if record.error:
        raise revive(record.kind, record.error)
    if record.warning:
        logger.warning("model converted, but %s", clean(record.warning))
        operation.status(f"warning: {record.warning}")
    else:
        operation.report(Progress(_STATUS, "", record.total, record.completed))
