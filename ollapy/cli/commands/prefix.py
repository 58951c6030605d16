"""The PREFIX that narrows what `list` and `ps` show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ollapy.cli import completion

if TYPE_CHECKING:  # the wire types cost half of what `ollapy --help` takes
    from ollapy.api.loading import LoadState
    from ollapy.api.neighbours import NeighbourModel
    from ollapy.api.ollama import DamagedModel, ModelSummary, RunningModel

Prefix = Annotated[
    str,
    typer.Argument(
        metavar="[PREFIX]",
        autocompletion=completion.models,
        help="Only names that begin with this.",
        show_default=False,
    ),
]
M = TypeVar(
    "M", bound="ModelSummary | RunningModel | LoadState | DamagedModel | NeighbourModel"
)


def narrowed(models: Iterable[M], prefix: str) -> list[M]:
    """The models whose names begin with the prefix, however its letters are cased."""
    return [m for m in models if m.name.lower().startswith(prefix.lower())]
