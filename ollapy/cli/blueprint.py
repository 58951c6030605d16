"""Blueprint: a model to be made, whose files are still paths of this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ollapy.api.ollama import CreateRequest, Message
from ollapy.api.vllm import ENGINE
from ollapy.create.parameters import typed
from ollapy.create.recipe import recipe
from ollapy.errors import InvalidName, InvalidRequest, NotFound
from ollapy.modelfile import Modelfile
from ollapy.names import Digest, ModelName
from ollapy.text import clean

from .called import check_name
from .local_files import Files, adapter_files, exists, holds_model, model_files

_UNKNOWN = Digest("0" * 64)  # stands for digests until the files have been read
_PATH_BEGINNINGS = ("/", "./", "../", "~", ".\\", "..\\")
_FILE_ENDINGS = (".gguf", ".safetensors", ".bin", ".pth")


@dataclass(frozen=True)
class Blueprint:
    """The request for it without its files, and these by the names that the daemon will know."""

    request: CreateRequest
    files: Files
    adapters: Files = field(default_factory=dict)
    drafts: Files = field(default_factory=dict)

    @property
    def paths(self) -> dict[Path, str]:
        """Each file once, and its name."""
        every = (self.files, self.adapters, self.drafts)
        return {path: name for files in every for name, path in files.items()}

    def check(self) -> None:
        """What the daemon would refuse whatever the files hold is refused before they are read."""
        check_name(self.request.given)
        recipe(self.with_digests(dict.fromkeys(self.paths, _UNKNOWN)))

    def with_digests(self, digests: Mapping[Path, Digest]) -> CreateRequest:
        """The whole request."""

        def told(files: Files) -> dict[str, str] | None:
            return {n: str(digests[path]) for n, path in files.items()} or None

        return msgspec.structs.replace(
            self.request,
            files=told(self.files),
            adapters=told(self.adapters),
            draft_files=told(self.drafts),
        )


def blueprint(
    name: str, modelfile: Modelfile, folder: Path, quantize: str | None
) -> Blueprint:
    """The model that a Modelfile describes. Its paths are relative to the folder."""
    if _is_for_vllm(modelfile):
        return _for_vllm(name, modelfile, folder, quantize)
    paths, names = _divided(modelfile.sources, folder)
    if len(names) > 1:
        raise InvalidRequest(
            f"FROM names two models, '{clean(names[0])}' and '{clean(names[1])}', take one of them"
        )
    drafts = [_existing(text, folder, "DRAFT") for text in modelfile.drafts]
    _check_apart(paths, drafts)
    adapters = [_existing(text, folder, "ADAPTER") for text in modelfile.adapters]
    return Blueprint(
        _request(name, names, modelfile, quantize),
        _merged(model_files(path) for path in paths),
        _merged(adapter_files(path) for path in adapters),
        _merged(model_files(path) for path in drafts),
    )


def _is_for_vllm(modelfile: Modelfile) -> bool:
    """Whether the model is to run in vLLM, which reads the weights where they are."""
    return any(parameter.name == ENGINE for parameter in modelfile.parameters)


def _for_vllm(
    name: str, modelfile: Modelfile, folder: Path, quantize: str | None
) -> Blueprint:
    """A folder is told by its path, which has to be the same on the daemon's machine."""
    if len(modelfile.sources) > 1 or modelfile.adapters or modelfile.drafts:
        raise InvalidRequest(
            "a model for vLLM is made of one FROM, without ADAPTER and DRAFT"
        )
    (text,) = modelfile.sources
    path = local_path(text, folder)
    is_path = _looks_like_a_path(text) or exists(path / "config.json")
    source = str(path.absolute()) if is_path else _named(text)
    return Blueprint(_request(name, [source], modelfile, quantize), {})


def _request(
    name: str, names: list[str], modelfile: Modelfile, quantize: str | None
) -> CreateRequest:
    messages = [Message(role, content) for role, content in modelfile.messages]
    return CreateRequest(
        model=name,
        from_=names[0] if names else None,
        quantize=quantize,
        template=modelfile.template,
        system=modelfile.system,
        renderer=modelfile.renderer,
        parser=modelfile.parser,
        requires=modelfile.requires,
        license=[*modelfile.licenses] or None,
        parameters=typed(modelfile.parameters) or None,
        messages=messages or None,
    )


def _divided(sources: Iterable[str], folder: Path) -> tuple[list[Path], list[str]]:
    """The paths among what FROM says, and the names of models."""
    paths, names = [], []
    for text in sources:
        path = local_path(text, folder)
        if text and (_looks_like_a_path(text) or _is_file_or_model(path)):
            paths.append(_existing(text, folder, "FROM"))
        else:
            names.append(_named(text))
    return paths, names


def local_path(text: str, folder: Path) -> Path:
    """A path as it is written in a file of the folder; `~` is the user's home."""
    try:
        return folder / Path(text).expanduser()
    except RuntimeError:  # there is no such user
        return folder / text


def _looks_like_a_path(text: str) -> bool:
    is_file = text.lower().endswith(_FILE_ENDINGS) and ":" not in text
    return is_file or text.startswith(_PATH_BEGINNINGS) or text in (".", "..")


def _is_file_or_model(path: Path) -> bool:
    """Of folders only one with a model in it: another hides no model of its name."""
    return holds_model(path) or (exists(path) and not path.is_dir())


def _existing(text: str, folder: Path, command: str) -> Path:
    path = local_path(text, folder)
    if not exists(path):
        raise NotFound(
            f"{command} {clean(text)}: there is no such file or folder, "
            f"looked for in '{clean(str(folder.absolute()))}'"
        )
    return path


def _named(text: str) -> str:
    try:
        ModelName.parse(text)
    except InvalidName:
        raise InvalidName(
            f"FROM {clean(text)}: neither a file, nor a folder, nor a model's name"
        ) from None
    return text


def _check_apart(paths: Iterable[Path], drafts: Iterable[Path]) -> None:
    for draft in drafts:
        if any(draft.samefile(path) for path in paths):
            raise InvalidRequest(
                f"DRAFT must not reference the same local path as FROM: {clean(str(draft))}"
            )


def _merged(each: Iterable[Files]) -> Files:
    """All files, once; the names of those from a second place differ from those of the first."""
    found: dict[str, Path] = {}
    for number, files in enumerate(each):
        for name, path in files.items():
            if path in found.values():
                continue
            found[f"{number}/{name}" if name in found else name] = path
    return found
