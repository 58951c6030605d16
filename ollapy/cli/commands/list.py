"""`ollapy list`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .as_json import AsJson
from .prefix import Prefix, narrowed

if TYPE_CHECKING:  # the wire types cost half of what `ollapy --help` takes
    from ollapy.api.ollama import ModelSummary


def list_models(prefix: Prefix = "", as_json: AsJson = False) -> None:
    """List the models on this machine; those that are damaged are named below."""
    from ollapy.api.ollama import TagsResponse
    from ollapy.cli.output import print_json, print_table, talk
    from ollapy.cli.session import connected

    with connected() as client:
        tags = client.tags()
    shown, damaged = narrowed(tags.models, prefix), narrowed(tags.damaged, prefix)
    if as_json:
        print_json(TagsResponse(shown, damaged))
        return
    now = datetime.now(UTC)
    print_table(("NAME", "ID", "SIZE", "MODIFIED"), (_row(m, now) for m in shown))
    for model in damaged:
        talk(f"Damaged: {model.name}: {model.problem}")


def _row(model: ModelSummary, now: datetime) -> tuple[str, ...]:
    from ollapy.units import format_bytes, format_relative, parse_time

    modified = format_relative(parse_time(model.modified_at), now)
    return model.name, model.digest[:12], format_bytes(model.size), modified
