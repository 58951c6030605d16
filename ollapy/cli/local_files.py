"""What a file or folder of this machine brings to a model: its files, by the names that the daemon will know.

They are looked at here, so that a mistake is told before gigabytes are read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ollapy.errors import (
    InvalidModel,
    InvalidRequest,
    NotFound,
    OllapyError,
    StoreError,
)
from ollapy.gguf import Header, read_header, read_model
from ollapy.gguf.choice import is_named_for, projector_for, weights_of
from ollapy.gguf.filenames import SUFFIX, GgufModel, GgufName, models_of
from ollapy.text import clean

Files = Mapping[str, Path]

SAFETENSORS = ".safetensors"
_CONFIG = "config.json"
_BESIDE = ("tokenizer.model", "chat_template.jinja", "README.md")
# The same weights in another layout, and additions to them.
_OTHERS = ("consolidated", "adapter")
_PICKLE = (
    ", and loading a pickle may run programs: get the model as GGUF or safetensors"
)
_CURES = {
    SAFETENSORS: ", name the folder that it is in",
    **dict.fromkeys((".bin", ".pth", ".pt", ".ckpt"), _PICKLE),
}
_MAX_SHOWN = 12
_UNSENDABLE = re.compile(r"[^\w.,()+= -]", re.ASCII)  # by the rules of some system


def model_files(path: Path) -> Files:
    """The model that is a GGUF file, with all parts where it is one of several, or that is in a folder."""
    if not path.is_dir():
        return _by_name(whole(path))
    if found := safetensors_files(path):
        return found
    models = models_in(path)
    if len(models) > 1:
        raise InvalidRequest(
            f"'{shown(path)}' holds several models, name one of them: {listed(models)}"
        )
    if not models:
        raise InvalidRequest(without_model(path))
    return gguf_files(path, models[0])


def adapter_files(path: Path) -> Files:
    """The adapter that is a GGUF file, or the only one in a folder."""
    if not path.is_dir():
        return _by_name([checked(path)])
    found = _names(path, SUFFIX)
    if len(found) == 1:
        return _by_name([checked(path / found[0])])
    if _names(path, SAFETENSORS):
        raise InvalidRequest(
            f"'{shown(path)}' is an adapter as safetensors: make a GGUF file of it "
            "with llama.cpp's convert_lora_to_gguf.py, and name that"
        )
    raise InvalidRequest(f"'{shown(path)}' does not hold one GGUF file, an adapter")


def safetensors_files(folder: Path) -> Files:
    """A Hugging Face model as it is in a folder; nothing where there is none."""
    weights = _names(folder, SAFETENSORS)
    if not weights or not (folder / _CONFIG).is_file():
        return {}
    own = [name for name in weights if name.startswith("model")]
    own = own or [name for name in weights if not name.startswith(_OTHERS)]
    beside = [name for name in _BESIDE if (folder / name).is_file()]
    names = [*(own or weights), *_names(folder, ".json"), *beside]
    return _by_name(folder / name for name in names)


def models_in(folder: Path) -> list[GgufModel]:
    """The models that are GGUF files of a folder."""
    return weights_of(models_of(_names(folder, SUFFIX)))


def gguf_files(folder: Path, model: GgufModel) -> Files:
    """A model of a folder, and the projector that goes with it."""
    parts = _checked_parts(folder, model)
    projector = _projector(folder, model)
    return _by_name([*parts, *([checked(projector)] if projector else [])])


def whole(path: Path) -> list[Path]:
    """The files of a model in their order, of which one is named."""
    name = GgufName.parse(path.name)
    if name is None or name.num_parts == 1:
        return [checked(path)]
    checked(path)
    return _checked_parts(path.parent, model_of(path))


def model_of(path: Path) -> GgufModel:
    """The model that a GGUF file is, or is a part of; caches have some whose name says nothing."""
    name = GgufName.parse(path.name)
    if name is None:
        plain = GgufName.parse(f"{path.name}{SUFFIX}")
        assert plain
        return GgufModel((replace(plain, path=path.name),))
    models = models_of(_names(path.parent, SUFFIX))
    return next((m for m in models if name in m.parts), GgufModel((name,)))


def header_of(files: Iterable[Path]) -> Header:
    """The header of a model's files; InvalidModel names the first."""
    parts = [*files]
    try:
        return read_model(parts)
    except OllapyError as exc:
        raise _named(parts[0], exc) from exc


def checked(path: Path) -> Path:
    """A GGUF file that llama.cpp can read; InvalidModel says why it could not."""
    check_exists(path)
    try:
        read_header(path, part=True)
    except OllapyError as exc:
        raise _named(path, exc) from exc
    return path


def listed(models: Iterable[GgufModel]) -> str:
    """The names of their files, the first of many."""
    names = [clean(model.first.path) for model in models]
    more = len(names) - _MAX_SHOWN
    return ", ".join(names[:_MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")


def shown(path: Path) -> str:
    """A path as its user wrote it; this folder, which may not have been written, as a whole path."""
    return clean(str(path if path.name else path.absolute()))


def holds_model(path: Path) -> bool:
    """Whether it is a folder with a model in it, or several."""
    try:
        return path.is_dir() and bool(safetensors_files(path) or models_in(path))
    except StoreError:  # not ours to read
        return False


def without_model(folder: Path) -> str:
    """That a folder holds no model, and which of its folders do."""
    none = f"'{shown(folder)}' holds no model: no GGUF file, and no config.json with safetensors"
    within = [child.name for child in sorted(folder.iterdir()) if holds_model(child)]
    if not within:
        return none
    return (
        f"{none}; name one of its folders: {', '.join(map(clean, within[:_MAX_SHOWN]))}"
    )


def exists(path: Path) -> bool:
    """Whether there is something; a path that cannot be one leads nowhere."""
    return os.path.exists(path)  # noqa: PTH110  # the other raises for some


def check_exists(path: Path) -> None:
    """NotFound where there is nothing."""
    if not exists(path):
        raise NotFound(f"there is no file or folder '{shown(path)}'")


def _checked_parts(folder: Path, model: GgufModel) -> list[Path]:
    first = model.first
    if not model.is_whole:
        there = {part.part for part in model.parts}
        missing = next(n for n in range(1, first.num_parts + 1) if n not in there)
        raise InvalidModel(
            f"'{clean(first.stem)}' has {len(there)} of its {first.num_parts} parts here, part {missing} is missing"
        )
    parts = [folder / name for name in model.paths]
    header_of(parts)
    return parts


def _projector(folder: Path, model: GgufModel) -> Path | None:
    """That of the model, or the only one beside the only model: in a folder of many it is another's."""
    models = models_of(_names(folder, SUFFIX))
    found = projector_for(model, models)
    others = {m.first.model for m in weights_of(models)} - {model.first.model}
    if found is None or (others and not is_named_for(found, model)):
        return None
    return folder / found.first.path


def _names(folder: Path, suffix: str) -> list[str]:
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as exc:
        raise StoreError(f"could not read '{shown(folder)}': {exc.strerror}") from exc
    return [name for name in names if name.lower().endswith(suffix)]


def _named(path: Path, exc: OllapyError) -> InvalidModel:
    cure = _CURES.get(path.suffix.lower(), "")
    return InvalidModel(f"'{shown(path)}' cannot be used: {exc}{cure}")


def _by_name(paths: Iterable[Path]) -> Files:
    return {_UNSENDABLE.sub("_", path.name): path for path in paths}
