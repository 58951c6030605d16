"""Neighbours: all that other programs have on this machine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from ollapy.errors import OllapyError
from ollapy.names import Digest, ModelName
from ollapy.settings import Settings

from .hugging_face import HubCache
from .lm_studio import LmStudio
from .neighbour import Copy, Neighbour
from .ollama import OllamaStore

logger = logging.getLogger(__name__)

T = TypeVar("T")
Keeper = OllamaStore | HubCache | LmStudio


class Neighbours:
    """Looks anew each time, and never changes what it sees. For several threads."""

    def __init__(self, settings: Settings) -> None:
        stores = [
            root for root in settings.ollama_models if not _same(root, settings.models)
        ]
        self._keepers: list[Keeper] = [
            *map(OllamaStore, stores),
            HubCache(settings.hub_cache),
            *map(LmStudio, settings.lm_studio_models),
        ]

    def models(self) -> list[Neighbour]:
        """Every model; of namesakes the first program's."""
        found: dict[tuple[str, str, str, str], Neighbour] = {}
        for model in self._each(lambda keeper: keeper.models()):
            found.setdefault(model.name.key, model)
        return [*found.values()]

    def find(self, name: ModelName) -> Neighbour | None:
        """The model that a name means to one of them."""
        return next(self._each(lambda keeper: [keeper.find(name)]), None)

    def copies(
        self, digest: Digest, size: int, origin: ModelName | None
    ) -> Iterator[Copy]:
        """Files that are, or may be, the blob; `origin` is where on the hub it is from."""
        return self._each(lambda keeper: keeper.copies(digest, size, origin))

    def _each(self, look: Callable[[Keeper], Sequence[T | None]]) -> Iterator[T]:
        """What the look at each of them finds; one that cannot be looked at hides no other."""
        for keeper in self._keepers:
            try:
                found = look(keeper)
            except (OllapyError, OSError) as exc:
                logger.info("neighbour skipped path=%s: %s", keeper.root, exc)
            else:
                yield from filter(None, found)


def _same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return one == other
