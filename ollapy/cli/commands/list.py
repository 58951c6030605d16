"""`ollapy list`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ollapy.text import clean

from .as_json import AsJson
from .prefix import Prefix, narrowed

if TYPE_CHECKING:  # the wire types cost half of what `ollapy --help` takes
    from ollapy.api.neighbours import AllModels, NeighbourModel
    from ollapy.api.ollama import ModelSummary

_HEADER = ("NAME", "ID", "SIZE", "MODIFIED")


def list_models(
    prefix: Prefix = "",
    all_models: Annotated[
        bool,
        typer.Option(
            "--all",
            "-a",
            help="Also the models that other programs have here, such as Ollama and LM Studio. "
            "'ollapy run' uses them where they are.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the models on this machine.

    Those that are damaged are named below.
    """
    from ollapy.api.neighbours import AllModels
    from ollapy.cli.output import print_json, print_table, talk
    from ollapy.cli.session import connected

    with connected() as client:
        tags = client.tags()
        others = client.neighbours() if all_models else []
    found = AllModels(
        narrowed(tags.models, prefix),
        narrowed(tags.damaged, prefix),
        neighbours=narrowed(others, prefix),
        unreachable=tags.unreachable,
    )
    if as_json:
        print_json(found)
        return
    print_table(*(_with_owners(found) if all_models else _plain(found)))
    for model in found.damaged:
        talk(f"Damaged: {model.name}: {model.problem}")
    if found.unreachable:
        talk(f"Models of another server are left out: {found.unreachable}")


def _plain(found: AllModels) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    now = datetime.now(UTC)
    return _HEADER, [
        _row(model, model.digest[:12] or "-", now) for model in found.models
    ]


def _with_owners(found: AllModels) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The store's, another server's, then those of each other program, which know no ID."""
    header, own = _plain(found)
    now = datetime.now(UTC)
    others = sorted(found.neighbours, key=lambda model: model.owner)
    owners = [clean(model.remote_host) or "ollapy" for model in found.models]
    rows = [(*row, owner) for row, owner in zip(own, owners, strict=True)]
    rows += [(*_row(model, "-", now), model.owner) for model in others]
    return (*header, "OWNER"), rows


def _row(
    model: ModelSummary | NeighbourModel, identity: str, now: datetime
) -> tuple[str, ...]:
    from ollapy.units import format_bytes, format_relative, parse_time

    if not model.size:  # it is on another server, which has started it some time
        return model.name, identity, "-", "-"
    modified = format_relative(parse_time(model.modified_at), now)
    return model.name, identity, format_bytes(model.size), modified
