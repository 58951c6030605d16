"""Wire types of ollapy's own route for the models that other programs have on this machine."""

from __future__ import annotations

import msgspec

from .ollama import Details, TagsResponse


class NeighbourModel(msgspec.Struct, frozen=True):
    """A model under the name that it has here; `owner` is the other program.

    `details` are what its folders say, without a look into the files: what they do not say is empty.
    """

    name: str
    model: str
    owner: str
    modified_at: str
    size: int
    details: Details


class NeighboursResponse(msgspec.Struct, frozen=True):
    """The answer of `GET /api/neighbours`, newest first."""

    models: list[NeighbourModel]


class AllModels(TagsResponse, frozen=True, omit_defaults=True):
    """What `ollapy list --json` prints: those of the store, and with `--all` the neighbours'."""

    neighbours: list[NeighbourModel] = msgspec.field(default_factory=list)
