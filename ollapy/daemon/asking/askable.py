"""Askable: a model as a question needs to know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ollapy.api.ollama import Message
from ollapy.names import ModelName


class Askable(Protocol):
    """What a question depends on, wherever the model is."""

    @property
    def name(self) -> ModelName: ...

    @property
    def capabilities(self) -> Sequence[str]: ...

    @property
    def parameters(self) -> Mapping[str, object]: ...

    @property
    def messages(self) -> Sequence[Message]: ...

    @property
    def projectors(self) -> Sequence[Path]: ...

    @property
    def template(self) -> str | None: ...

    @property
    def system(self) -> str | None: ...
