"""Importing: a model that is files on this machine gets a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ollapy.api.ollama import CreateRequest, Progress, ShowResponse
from ollapy.client import Client
from ollapy.errors import (
    DaemonUnreachable,
    InvalidModel,
    InvalidRequest,
    NotFound,
    OllapyError,
)
from ollapy.names import Digest
from ollapy.settings import Settings
from ollapy.units import format_bytes

from .blueprint import Blueprint
from .delivery import Delivery
from .local_files import (
    Files,
    check_exists,
    gguf_files,
    header_of,
    model_of,
    models_in,
    safetensors_files,
    shown,
    without_model,
)
from .naming import folder_name, gguf_name, with_tag
from .output import print_text, talk
from .progress import progress


def models_at(text: str) -> list[Path]:
    """A file or folder for each model that the path leads to."""
    if not text:  # as of a variable that is not set, and not this folder
        raise NotFound("there is no file or folder ''")
    path = Path(text)
    check_exists(path)
    if not path.is_dir() or safetensors_files(path):
        return [path]
    found = models_in(path)
    if not found:
        raise InvalidModel(without_model(path))
    return [path / model.first.path for model in found]


@dataclass(frozen=True)
class Importer:
    """Imports models into the store of a daemon. Without a name each gets one of its own."""

    client: Client
    settings: Settings
    name: str | None = None
    quantize: str | None = None
    force: bool = field(default=False, kw_only=True)
    as_json: bool = field(default=False, kw_only=True)

    def run(self, path: Path) -> None:
        """Import one, and say how; InvalidRequest where another model has its name."""
        files, own = _folder(path) if path.is_dir() else _gguf(path)
        own = with_tag(own, self.quantize) if self.quantize else own
        name = own if self.name is None else self.name
        request = CreateRequest(name, quantize=self.quantize)
        blueprint = Blueprint(request, files)
        blueprint.check()
        is_made = path.is_dir() or self.quantize is not None
        found = None if self.force else self._find(request.given)
        if found and is_made:
            raise _taken(request.given)
        try:
            self._import(blueprint, found, is_made=is_made)
        except KeyboardInterrupt:
            talk(f"Stopped, '{shown(path)}' is not imported.")
            raise

    def _import(
        self, blueprint: Blueprint, found: ShowResponse | None, *, is_made: bool
    ) -> None:
        name = blueprint.request.given
        with (
            progress(as_json=self.as_json) as show,
            Delivery(self.client, self.settings, show) as delivery,
        ):
            show(Progress(f"importing as {name}"))
            digests = delivery.bring(blueprint)
            if found and not _is_of(found, digests):
                raise _taken(name)
            if not found:
                delivery.make(blueprint, digests)
        if self.as_json:
            return
        if found:
            print_text(f"'{name}' is here already")
        else:
            size = format_bytes(sum(path.stat().st_size for path in digests))
            print_text(f"imported as '{name}', {_how(delivery, size, is_made=is_made)}")

    def _find(self, name: str) -> ShowResponse | None:
        """The model that has the name; one that is damaged may be replaced."""
        try:
            return self.client.show(name)
        except DaemonUnreachable:
            raise
        except OllapyError:
            return None


def _folder(path: Path) -> tuple[Files, str]:
    """The files of a Hugging Face model, and a name for it."""
    return safetensors_files(path), folder_name(path)


def _gguf(path: Path) -> tuple[Files, str]:
    """The files of the model that a GGUF file is or belongs to, and a name for it."""
    model = model_of(path)
    files = gguf_files(path.parent, model)
    header = header_of(path.parent / name for name in model.paths)
    if not header.is_model:
        raise InvalidModel(
            f"'{shown(path)}' is no model but goes with one, import the model beside it"
        )
    return files, gguf_name(model, header, path.parent)


def _is_of(found: ShowResponse, digests: Mapping[Path, Digest]) -> bool:
    """Whether the model consists of just these files."""
    its = [file.digest for file in found.ollapy.files] if found.ollapy else []
    return sorted(its) == sorted(map(str, digests.values()))


def _taken(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"there is another model '{name}' already: --name gives this one another name, --force replaces that one"
    )


def _how(delivery: Delivery, size: str, *, is_made: bool) -> str:
    if is_made:
        return f"made of {size} of files"
    if delivery.sent:
        return f"{size} copied to the daemon"
    if delivery.referred:
        return f"{size} used where it is, nothing copied: keep the file"
    return f"{size} linked, nothing copied"
