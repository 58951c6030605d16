"""Weights in another precision, which llama.cpp makes in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ollapy.api.ollama import Progress
from ollapy.decoding import from_json
from ollapy.errors import InvalidRequest, revive
from ollapy.gguf import Header
from ollapy.operation import Operation

from .child import lines_of

_MODULE = "ollapy.llama.quantize"
_NO_DIGEST = "0" * 19  # Ollama's clients draw a bar for what has a digest
_FULL = {"F32", "F16", "BF16"}


class _Record(msgspec.Struct, frozen=True):
    tensor: str = ""
    error: str = ""
    kind: str = ""  # the error's class


def check_quantizable(header: Header) -> None:
    """InvalidRequest where precision has been lost already."""
    if not {tensor.type_name for tensor in header.tensors} <= _FULL:
        raise InvalidRequest(
            "quantization is only supported for F16, BF16 and F32 models"
        )


@dataclass(frozen=True)
class Quantization:
    """Of weights in these files, in their order, to the type that FILE_TYPES calls so."""

    parts: Sequence[Path]
    header: Header
    file_type: str

    def run(self, target: Path, operation: Operation, env: Mapping[str, str]) -> None:
        """Write the file `target`; Unsupported and InvalidModel say why llama.cpp does not."""
        paths = [str(path.absolute()) for path in (*self.parts, target)]
        sizes = {tensor.name: tensor.nbytes for tensor in self.header.tensors}
        total, begun = sum(sizes.values()), 0
        self._report(operation, total, 0)
        for line in lines_of(
            _MODULE, *paths, self.file_type, env=env, operation=operation
        ):
            record = from_json(line, _Record)
            if record.error:
                raise revive(record.kind, record.error)
            self._report(operation, total, begun)
            begun += sizes.get(record.tensor, 0)
        self._report(operation, total, total)

    def _report(self, operation: Operation, total: int, completed: int) -> None:
        status = f"quantizing {self.header.file_type} model to {self.file_type}"
        operation.report(Progress(status, _NO_DIGEST, total, completed))
