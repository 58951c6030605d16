"""VllmModel: a model of the store whose weights vLLM reads where they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from ollapy.api.adapters import AdapterSet
from ollapy.api.ollama import Message
from ollapy.api.vllm import ENGINE, VLLM, VllmOptions
from ollapy.errors import Unsupported
from ollapy.names import Digest, ModelName

from .manifests import digest_of
from .model import ModelConfig


@dataclass(frozen=True)
class VllmModel:
    """What a name stands for where the store has only texts. `source` is a repository of Hugging Face's, or a folder.

    The rest is as a Model has it; what is fixed is what such a model cannot have of its own.
    """

    name: ModelName
    digest: Digest
    size: int
    modified_at: float
    config: ModelConfig
    vllm: VllmOptions
    parameters: dict[str, object]
    system: str | None
    messages: list[Message]
    licenses: list[str]
    template: None = None
    projectors: tuple[Path, ...] = ()
    adapters: AdapterSet = ()
    drafts: tuple[Path, ...] = ()

    @property
    def source(self) -> str:
        """What vLLM is told to serve."""
        return self.config.source

    @property
    def is_folder(self) -> bool:
        """Whether the source is on this machine, and no repository."""
        return self.source.startswith("/")

    @property
    def max_context(self) -> int | None:
        """The context to be loaded with, in tokens; None leaves it to vLLM."""
        given = self.parameters.get("num_ctx")
        return given if isinstance(given, int) and given > 0 else None

    @property
    def loads(self) -> tuple[Digest, ...]:
        """What tells servers apart: models that are started alike share one."""
        started = (self.source, self.vllm, self.max_context)
        return (digest_of(msgspec.json.encode(started)),)

    @property
    def capabilities(self) -> list[str]:
        """What it can be asked for. Nobody tells whether it makes text or vectors; vLLM says no where it cannot."""
        asked = {
            "tools": self.vllm.tool_call_parser,
            "thinking": self.vllm.reasoning_parser,
        }
        return [
            "completion",
            "embedding",
            *(n for n, parser in asked.items() if parser),
        ]

    def unsupported(self, why: str) -> Unsupported:
        """That something cannot be had of it, where it is."""
        return Unsupported(f"'{self.name}' runs in vLLM, {why}")

    @property
    def stated(self) -> dict[str, object]:
        """All that its Modelfile says in PARAMETER."""
        return {ENGINE: VLLM, **self.vllm.given, **self.parameters}
