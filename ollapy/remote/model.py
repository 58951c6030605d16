"""RemoteModel: a model that another server answers for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ollapy.api.ollama import Message
from ollapy.errors import Unsupported
from ollapy.names import ModelName


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """What is known of it: its name here, its `id` there, where that is, its context in tokens (0: not told).

    `modified_at` is Unix time: the server's, or now where it has none. No server tells what a model can do:
    `capabilities` are what it can be asked for, and the server says no where it cannot.
    """

    name: ModelName
    id: str
    host: str
    num_ctx: int
    modified_at: float
    capabilities: tuple[str, ...] = ("completion", "embedding", "tools", "thinking")
    parameters: Mapping[str, object] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    projectors: tuple[Path, ...] = ()
    template: str | None = None
    system: str | None = None

    def unsupported(self, why: str) -> Unsupported:
        """That something cannot be had of it, where it is."""
        return Unsupported(f"'{self.name}' runs on {self.host}, {why}")
