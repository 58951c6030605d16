"""Traits: what is known of a template and of how its model writes. Plain data, sent between processes."""

from __future__ import annotations

from typing import Any

import msgspec

from .formats import Format
from .sample import Sample


class Shape(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a template wants a turn with calls: the defaults are what most take."""

    null_content: bool = False
    text_arguments: bool = False
    short_ids: bool = False  # nine letters and digits
    single_calls: bool = False  # no more than one in a turn
    thought_parts: bool = False  # an earlier thought as a part of the content
    content_parts: bool = False  # every text as a part of a content


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned. `openings` are the texts that prompts end in, before an answer; longest first.

    `thinking` is whether the model's thoughts can be told from its answers, `on` and `off` are the variables
    that have it think or not. Where `writes_calls` is false the template leaves the calls of earlier turns out.
    `infill` is whether it has a place for a gap and what stands around that.
    `sample` is how it writes them, where that could be made out.
    """

    system: bool
    tools: bool
    thinking: bool
    on: dict[str, Any]
    off: dict[str, Any]
    writes_calls: bool
    shape: Shape
    openings: list[str]
    format: Format
    infill: bool = False
    sample: Sample | None = None


# Of a model without a template.
PLAIN = Traits(
    system=True,
    tools=False,
    thinking=False,
    on={},
    off={},
    writes_calls=False,
    shape=Shape(),
    openings=[],
    format=Format(),
)
