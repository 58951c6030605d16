"""How hard a model may be asked to think, in words, the least first."""

from __future__ import annotations

LEVELS = ("low", "medium", "high", "max")
