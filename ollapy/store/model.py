"""Model: a manifest resolved to paths, parameters and what the model can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ollapy.api.ollama import Message
from ollapy.gguf import Header
from ollapy.names import Digest, ModelName


@dataclass(frozen=True)
class Model:
    """What a name stands for. `header` is read from the weights when first asked for.

    `modified_at` is Unix time, `size` the bytes of all blobs, `digest` the manifest's.
    """

    name: ModelName
    digest: Digest
    size: int
    modified_at: float
    weights: Path
    weights_digest: Digest
    projectors: list[Path]
    adapters: list[Path]
    template: str | None
    system: str | None
    parameters: dict[str, object]
    messages: list[Message]
    licenses: list[str]
    parent: str
    read_header: Callable[[], Header] = field(repr=False)

    @cached_property
    def header(self) -> Header:
        """The checked header of the weights; InvalidModel where llama.cpp would not take them."""
        return self.read_header()

    @property
    def chat_template(self) -> str | None:
        """The Jinja template that the weights carry."""
        return self.header.chat_template

    @property
    def capabilities(self) -> list[str]:
        """What the model can do, in Ollama's words."""
        jinja, go = self.chat_template or "", self.template or ""
        found = {
            "embedding": self.header.is_embedding,
            "completion": not self.header.is_embedding,
            "tools": "tools" in jinja or "tool_call" in jinja or ".Tools" in go,
            "thinking": "<think>" in jinja and "</think>" in jinja,
            "insert": ".Suffix" in go or self.header.can_infill,
            "vision": bool(self.projectors)
            or bool(self.header.count("vision.block_count")),
        }
        return [name for name, present in found.items() if present]
