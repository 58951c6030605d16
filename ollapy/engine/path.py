"""Path: all that is known of a prefix that a slot holds, for it to be kept or brought back."""

from __future__ import annotations

from dataclasses import dataclass

from ollapy.api.adapters import AdapterSet


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Its tokens from the root on, none of a picture, and `states` by the positions of checkpoints along them."""

    tokens: list[int]
    adapters: AdapterSet
    asked_by: str
    used_at: float
    states: dict[int, bytes]
