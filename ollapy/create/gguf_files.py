"""GgufFiles: what uploaded GGUF files are, by what they say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ollapy.errors import InvalidModel, InvalidRequest
from ollapy.gguf import Header, check_adapter, read_header, read_model

from .uploads import Upload

_PROJECTORS = ("mmproj", "projector")


@dataclass(frozen=True)
class GgufFiles:
    """The weights in the order of their parts, mostly one, and what goes with them. `header` is that of the weights."""

    weights: Sequence[Upload]
    projectors: Sequence[Upload]
    adapters: Sequence[Upload]
    header: Header | None

    @classmethod
    def of(cls, files: Sequence[Upload]) -> GgufFiles:
        """What they are; InvalidModel names the file that llama.cpp would not take."""
        kinds: dict[str, list[tuple[Upload, Header]]] = {}
        for file in files:
            header = _header(file)
            kinds.setdefault(_kind(file, header), []).append((file, header))
        weights = _in_order(kinds.get("model", []))
        return cls(
            weights,
            [file for file, _ in kinds.get("projector", [])],
            [file for file, _ in kinds.get("adapter", [])],
            _whole(weights) if weights else None,
        )


def _header(file: Upload) -> Header:
    try:
        return read_header(file.path, part=True)
    except InvalidModel as exc:
        raise _named(file, exc) from exc


def _named(file: Upload, exc: InvalidModel) -> InvalidModel:
    return InvalidModel(f"'{file.name}' cannot be used: {exc}")


def _kind(file: Upload, header: Header) -> str:
    kind = header.metadata.get("general.type", "model")
    if kind in _PROJECTORS or header.architecture == "clip":
        return "projector"
    if kind in ("model", "adapter"):
        return str(kind)
    raise InvalidModel(f"'{file.name}' is no model, it says that it is {kind!r:.40}")


def _in_order(found: Sequence[tuple[Upload, Header]]) -> list[Upload]:
    """The parts of one model; each file that is whole is a model of its own."""
    whole = [file for file, header in found if not _count(header)]
    if len(found) > 1 and whole:
        names = ", ".join(str(file.name) for file, _ in found)
        raise InvalidRequest(f"these are several models, take one of them: {names}")
    return [file for file, _ in sorted(found, key=lambda pair: _number(pair[1]))]


def _count(header: Header) -> bool:
    return header.metadata.get("split.count", 1) not in (0, 1)


def _number(header: Header) -> int:
    number = header.metadata.get("split.no", 0)
    return number if isinstance(number, int) else 0


def _whole(weights: Sequence[Upload]) -> Header:
    try:
        return read_model([file.path for file in weights])
    except InvalidModel as exc:
        raise _named(weights[0], exc) from exc


def adapters_of(files: Sequence[Upload]) -> list[Upload]:
    """The files of a request's `adapters`, of which there may be one."""
    if len(files) > 1 and all(file.name.suffix != ".safetensors" for file in files):
        raise InvalidRequest("only one adapter is currently supported")
    for file in files:
        if not file.is_gguf:
            raise InvalidRequest(
                f"the adapter '{file.name}' is not in GGUF format, convert it with llama.cpp's convert_lora_to_gguf.py"
            )
    found = GgufFiles.of(files)
    if files and not found.adapters:
        raise InvalidRequest(f"'{files[0].name}' is no adapter, name it in 'files'")
    return [*found.adapters]


def check_fit(adapters: Sequence[Upload], header: Header) -> None:
    """InvalidModel where llama.cpp could not add an adapter to a model."""
    for file in adapters:
        try:
            check_adapter(_header(file), header)
        except InvalidModel as exc:
            raise InvalidModel(
                f"the adapter '{file.name}' cannot be used: {exc}"
            ) from exc
