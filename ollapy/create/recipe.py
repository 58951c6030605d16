"""Recipe: what a request to create a model asks for, checked as far as the request alone can tell. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ollapy.api import vllm
from ollapy.api.ollama import CreateRequest, Message
from ollapy.errors import InvalidRequest
from ollapy.gguf.tables import FILE_TYPES
from ollapy.modelfile import check_requires
from ollapy.names import Digest, ModelName

from .info import configured
from .parameters import checked
from .template import check_template

_MAX_FILES = 1000
_MAX_PATH = 1024
_ROLES = ("system", "user", "assistant", "tool")
_WITHOUT_SIZE = ("Q3_K", "Q4_K", "Q5_K")  # of the mixtures M is what everybody takes

Files = Mapping[PurePosixPath, Digest]


@dataclass(frozen=True)
class Recipe:
    """A model to be made of the model `base`, or of files, or of both. What is None is taken from the base.

    Of one that `is_for_vllm` the weights stay where `source` says.
    """

    name: ModelName
    base: ModelName | None
    files: Files
    adapters: Files
    drafts: Files
    file_type: str | None
    template: str | None
    system: str | None
    licenses: Sequence[str]
    parameters: Mapping[str, object]
    messages: Sequence[Message]
    config: Mapping[str, object]
    source: str = ""

    @property
    def is_for_vllm(self) -> bool:
        """Whether it says that it is to run in vLLM; one made of such a model does as well."""
        return vllm.ENGINE in self.parameters

    @property
    def pulled(self) -> ModelName | None:
        """The model that has to be in the store, and is pulled where it is not."""
        return None if self.is_for_vllm else self.base

    @property
    def digests(self) -> set[Digest]:
        """The blobs that were brought for it."""
        return {*self.files.values(), *self.adapters.values(), *self.drafts.values()}


def recipe(request: CreateRequest) -> Recipe:
    """The recipe that a request is; InvalidRequest in Ollama's words where it cannot be one."""
    name = ModelName.parse(request.given)
    parameters = checked(request.parameters or {})
    source = (request.from_ or "") if vllm.ENGINE in parameters else ""
    is_folder = source.startswith("/")
    base = ModelName.parse(request.from_) if request.from_ and not is_folder else None
    if base is None and not is_folder and not request.files:
        raise InvalidRequest(_without_base(request))
    if request.template:
        check_template(request.template)
    return Recipe(
        name,
        base,
        _files(request.files),
        _files(request.adapters),
        _drafts(request),
        _file_type(request.quantize or request.quantization or ""),
        request.template or None,
        request.system or None,
        _licenses(request.license),
        parameters,
        _messages(request.messages or []),
        _config(request),
        source,
    )


def _without_base(request: CreateRequest) -> str:
    if request.adapters:
        return "no base model was found"
    if request.files is not None:
        return "unknown type"
    return "neither 'from' or 'files' was specified"


def _files(given: Mapping[str, str] | None) -> Files:
    if given is not None and len(given) > _MAX_FILES:
        raise InvalidRequest(f"a model is made of at most {_MAX_FILES} files")
    return {_path(name): Digest.parse(text) for name, text in (given or {}).items()}


def _path(text: str) -> PurePosixPath:
    """A path below a folder, whichever folder and system that is."""
    path = PurePosixPath(text)
    strange = not text.isprintable() or len(text) > _MAX_PATH or set(text) & set("\\:")
    if strange or path.is_absolute() or not path.parts or ".." in path.parts:
        raise InvalidRequest("file path must be relative")
    return path


def _drafts(request: CreateRequest) -> Files:
    if request.draft_quantize:
        raise InvalidRequest(
            "draft_quantize is not supported, quantize the draft model on its own"
            if request.draft_files
            else "--draft-quantize requires a DRAFT model"
        )
    return _files(request.draft_files)


def _file_type(text: str) -> str | None:
    """As FILE_TYPES calls it."""
    name = text.upper()
    name = f"{name}_M" if name in _WITHOUT_SIZE else name
    if name and name not in FILE_TYPES.values():
        raise InvalidRequest(
            f"unsupported quantization type {name[:40]} - supported types are {', '.join(FILE_TYPES.values())}"
        )
    return name or None


def _licenses(given: str | list[str] | None) -> list[str]:
    texts = [given] if isinstance(given, str) else given or []
    return [text for text in texts if text]


def _messages(messages: list[Message]) -> list[Message]:
    for message in messages:
        if message.role not in _ROLES:
            raise InvalidRequest(
                f"the role of a message must be one of {', '.join(_ROLES)}"
            )
    return messages


def _config(request: CreateRequest) -> dict[str, Any]:
    """Fields of the configuration that the request sets."""
    if request.requires:
        check_requires(request.requires)
    words = {
        "renderer": request.renderer,
        "parser": request.parser,
        "requires": request.requires,
    }
    return {
        **configured(request.info or {}),
        **{name: word for name, word in words.items() if word},
    }
