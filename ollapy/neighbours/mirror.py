"""Mirror: the files of a repository of Hugging Face's that another program has, or some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ollapy.errors import InvalidName
from ollapy.gguf.choice import choices, projector_for, weights_of
from ollapy.gguf.filenames import GgufModel, Kind, models_of
from ollapy.names import HUB_HOSTS, TAG, ModelName
from ollapy.store import ModelConfig

from .neighbour import LocalFile, Neighbour


@dataclass(frozen=True, slots=True)
class Mirror:
    """By path in the repository. Its models are those that would be pulled from `hf.co/user/repository`."""

    owner: str
    user: str
    repository: str
    files: Mapping[str, LocalFile]

    def is_of(self, name: ModelName) -> bool:
        """Whether the name is one of this repository's."""
        own = (self.user.lower(), self.repository.lower())
        return name.is_on_hub and own == (name.namespace.lower(), name.model.lower())

    def models(self) -> list[Neighbour]:
        """All that are whole."""
        models = models_of(self.files)
        whole = [model for model in weights_of(models) if model.is_whole]
        named = [(model, self._name(model, whole)) for model in whole]
        return [self._neighbour(name, model, models) for model, name in named if name]

    def find(self, name: ModelName) -> Neighbour | None:
        """The one that a name of this repository means here."""
        models = models_of(self.files)
        tag = "" if name.tag == TAG else name.tag
        found = choices([m for m in models if m.is_whole], tag, self.repository)
        if len(found) != 1 or found[0].first.kind is Kind.PROJECTOR:
            return None
        return self._neighbour(name, found[0], models)

    def _name(self, model: GgufModel, others: Sequence[GgufModel]) -> ModelName | None:
        """With the quantisation as the tag, or the file where that says too little; None for no valid name."""
        quants = [other.first.quant for other in others]
        quant = model.first.quant
        tag = quant if quant and quants.count(quant) == 1 else model.first.stem
        try:
            return ModelName.parse(
                f"{HUB_HOSTS[0]}/{self.user}/{self.repository}:{tag}"
            )
        except InvalidName:
            return None

    def _neighbour(
        self, name: ModelName, model: GgufModel, models: Sequence[GgufModel]
    ) -> Neighbour:
        projector = projector_for(model, models)
        parts = [self.files[path] for path in model.paths]
        extra = [
            replace(self.files[path], kind=Kind.PROJECTOR)
            for path in (projector.paths if projector else ())
        ]
        return Neighbour(
            name,
            self.owner,
            max(part.modified_at for part in parts),
            (*parts, *extra),
            ModelConfig(model_format="gguf", file_type=model.first.quant or "unknown"),
        )
