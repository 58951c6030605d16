"""Referred: what a model for vLLM is made from: where its weights are, and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ollapy.errors import InvalidName, InvalidRequest, NotFound
from ollapy.names import HOST, NAMESPACE, TAG, ModelName
from ollapy.store import Layer, ModelConfig, Store, VllmModel

from .recipe import Recipe

_CONFIG = "config.json"


@dataclass(frozen=True)
class Referred:
    """As a Base, of which the store has no files."""

    config: ModelConfig
    layers: Sequence[Layer] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)


def referred(recipe: Recipe, store: Store) -> Referred | None:
    """What the recipe refers to, a model for vLLM or what becomes one; None where its model is for llama.cpp."""
    base = store.find(recipe.base) if recipe.base else None
    if isinstance(base, VllmModel):
        _check(recipe)
        entry = store.entry(base.name)
        return Referred(
            base.config, entry.manifest.layers if entry else (), base.stated
        )
    if not recipe.is_for_vllm:
        return None
    _check(recipe)
    source = source_of(recipe.source)
    return Referred(ModelConfig(model_format="safetensors", source=source))


def source_of(text: str) -> str:
    """What FROM says as vLLM takes it: `user/repository` of Hugging Face's, or a folder of this machine."""
    if text.startswith("/"):
        return _folder(Path(text))
    try:
        name = ModelName.parse(text)
    except InvalidName:
        name = ModelName.parse("none")
    is_repository = name.is_on_hub or name.host == HOST
    if not is_repository or name.namespace == NAMESPACE or name.tag != TAG:
        raise InvalidRequest(
            f"FROM {text[:200]}: for vLLM it is a repository with safetensors, as hf.co/user/repository and without "
            "a tag, or a folder with them"
        )
    return f"{name.namespace}/{name.model}"


def _folder(path: Path) -> str:
    if not (path / _CONFIG).is_file():
        raise NotFound(
            f"FROM {str(path)[:200]}: on the daemon's machine there is no such folder with a {_CONFIG} in it"
        )
    return str(path)


def _check(recipe: Recipe) -> None:
    given = {
        "ADAPTER": recipe.adapters,
        "DRAFT": recipe.drafts,
        "TEMPLATE": recipe.template,
        "quantize": recipe.file_type,
        "files": recipe.files,
    }
    if names := [name for name, value in given.items() if value]:
        raise InvalidRequest(
            f"a model for vLLM takes no {', '.join(names)}: vLLM reads the weights and their template where they are"
        )
