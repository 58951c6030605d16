"""`python -m ollapy.create.convert FOLDER TARGET`: a child process, since it reads what strangers made.

It prints records, one a line: progress in bytes, warnings, and last an error if there was one. It ends
with its parent.
"""

from __future__ import annotations

import argparse
import errno
import json
import logging
import sys
from pathlib import Path
from typing import NoReturn

from ollapy.errors import OllapyError, StoreError
from ollapy.lifeline import end_with_parent, forbid_core_files, yield_to_others

logger = logging.getLogger(__name__)

_STEP = 8 << 20  # bytes between two records


class Reporter:
    """Prints the records, progress no more often than is worth it."""

    def __init__(self) -> None:
        self._next = 0

    def progress(self, completed: int, total: int) -> None:
        if completed >= self._next or completed == total:
            self._next = completed + _STEP
            self.record(completed=completed, total=total)

    def record(self, **fields: int | str) -> None:
        print(json.dumps(fields), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="ollapy.create.convert")
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument(
        "--type",
        dest="out_type",
        choices=("auto", "F16", "BF16", "F32"),
        default="auto",
    )
    arguments = parser.parse_args()
    end_with_parent()  # what is written has a temporary name
    forbid_core_files()
    yield_to_others()
    report = Reporter()
    try:
        from .conversion import convert_folder  # loads numpy and gguf

        warnings = convert_folder(
            arguments.folder, arguments.target, arguments.out_type, report.progress
        )
    except BrokenPipeError:
        sys.exit(1)
    except OllapyError as exc:
        _fail(report, exc)
    except OSError as exc:
        _fail(report, StoreError(_sentence(exc)))
    except MemoryError:
        _fail(report, OllapyError("there is not enough memory to convert the model"))
    except Exception:
        logger.exception("conversion failed")
        _fail(report, OllapyError("the model could not be converted, the log says why"))
    for warning in warnings:
        report.record(warning=warning)


def _fail(report: Reporter, error: OllapyError) -> NoReturn:
    report.record(error=str(error), kind=type(error).__name__)
    sys.exit(1)


def _sentence(exc: OSError) -> str:
    if exc.errno == errno.ENOSPC:
        return "no space is left on the disk for the converted model"
    return f"a file of the model could not be read or written: {exc.strerror}"


if __name__ == "__main__":
    main()
