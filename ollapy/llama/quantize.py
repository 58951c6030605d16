"""`python -m ollapy.llama.quantize SOURCE... TARGET TYPE`: a model file in another precision.

A process of its own: llama.cpp cannot be stopped meanwhile, and on some files ends the process. It prints
records, one a line: the bytes the result will have, each tensor as it begins, and an error if there is one.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from ollapy.errors import InvalidModel, OllapyError, StoreError, Unsupported
from ollapy.gguf.tables import FILE_TYPES
from ollapy.lifeline import end_with_parent, forbid_core_files, yield_to_others
from ollapy.units import format_bytes

from .library import log, raw

_NUMBERS = {name: number for number, name in FILE_TYPES.items()}
_TENSOR = re.compile(r"\[ *\d+/ *\d+\] (.+?) *- \[")
_RESULT = re.compile(r"quant size += +([0-9.]+) MiB")
_REASON = re.compile(r"failed to quantize: (.*)")
_SLAB = 256 << 20  # bytes in memory at a time
_MARGIN = 64 << 20


class Quantized(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record of what the process prints."""

    size: int = 0
    tensor: str = ""
    error: str = ""
    kind: str = ""


def quantize(
    parts: Sequence[Path],
    target: Path,
    file_type: str,
    told: Callable[[Quantized], None] = lambda _: None,
) -> None:
    """Write the model of these files, in order, in the precision that FILE_TYPES calls so."""
    with _whole(parts) as source:
        size = int(_run(source, target, file_type, told, dry=True) * 2**20)
        told(Quantized(size=size))
        _check_space(target, size)
        _run(source, target, file_type, told, dry=False)


def _run(
    source: Path,
    target: Path,
    file_type: str,
    told: Callable[[Quantized], None],
    *,
    dry: bool,
) -> float:
    """The MiB of the result; `dry` makes none."""
    params = raw.llama_model_quantize_default_params()
    params.ftype, params.dry_run, params.max_buf_size = _NUMBERS[file_type], dry, _SLAB
    said = _Log((lambda _: None) if dry else told)
    paths = os.fsencode(source), os.fsencode(target)
    with said:
        status = raw.llama_model_quantize(*paths, ctypes.byref(params))
    if said.needs_measurements or "imatrix" in said.reason:
        raise Unsupported(
            f"{file_type} needs an importance matrix, which ollapy does not make: "
            "take Q2_K, Q3_K_M, IQ4_XS or a larger type"
        )
    if status != 0:
        raise InvalidModel(f"llama.cpp cannot quantize the model: {said.reason}")
    return said.size


class _Log:
    """llama.cpp's log while it quantises, the only place where it says how far it is."""

    def __init__(self, told: Callable[[Quantized], None]) -> None:
        self.size = 0.0
        self.reason = "it does not say why"
        self.needs_measurements = False
        self._told = told
        self._callback = raw.llama_log_callback(self._on_text)

    def __enter__(self) -> None:
        raw.llama_log_set(self._callback, ctypes.c_void_p())

    def __exit__(self, *_: object) -> None:
        log.listen()

    def _on_text(self, _level: int, text: bytes, _data: object) -> None:
        line = text.decode("utf-8", "replace").strip()
        if found := _TENSOR.match(line):
            self._told(Quantized(tensor=found[1]))
        elif found := _RESULT.search(line):
            self.size = float(found[1])
        elif found := _REASON.search(line):
            self.reason = found[1]
        elif "will require an imatrix" in line:
            self.needs_measurements = True


@contextmanager
def _whole(parts: Sequence[Path]) -> Iterator[Path]:
    """The file to give to llama.cpp, which finds the others of a split model by their names."""
    if len(parts) == 1:
        yield parts[0]
        return
    with TemporaryDirectory(prefix="ollapy-") as folder:
        names = [
            Path(folder) / f"model-{number:05}-of-{len(parts):05}.gguf"
            for number in range(1, len(parts) + 1)
        ]
        for name, part in zip(names, parts, strict=True):
            name.symlink_to(part.absolute())
        yield names[0]


def _check_space(target: Path, size: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if size + min(_MARGIN, size) > free:
        raise StoreError(
            f"not enough disk space: {format_bytes(size)} are needed and {format_bytes(free)} free, "
            "remove a model or set OLLAPY_MODELS to another disk"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="ollapy.llama.quantize", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("sources", type=Path, nargs="+", metavar="SOURCE")
    parser.add_argument("target", type=Path, metavar="TARGET")
    parser.add_argument("file_type", choices=_NUMBERS, metavar="TYPE")
    arguments = parser.parse_args()
    end_with_parent()  # what is written has a temporary name
    forbid_core_files()
    yield_to_others()
    try:
        quantize(arguments.sources, arguments.target, arguments.file_type, _print)
    except OllapyError as exc:
        _fail(exc)
    except OSError as exc:
        _fail(
            StoreError(f"could not quantize the model: {os.strerror(exc.errno or 0)}")
        )


def _fail(exc: OllapyError) -> None:
    _print(Quantized(error=str(exc), kind=type(exc).__name__))


def _print(record: Quantized) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(record) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
