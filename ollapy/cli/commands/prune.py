"""`ollapy prune`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

_WORDS = {"damaged": "damaged blob"}

if TYPE_CHECKING:  # the wire types cost half of what `ollapy --help` takes
    from ollapy.api.care import PruneResponse, Unneeded


def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go.")
    ] = False,
    all_: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Also what came within the last hour, and downloads of the last week.",
        ),
    ] = False,
    kv_cache: Annotated[
        bool,
        typer.Option("--kv-cache", help="What was computed of prompts, nothing else."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object.")
    ] = False,
) -> None:
    """Free disk space: delete what no model needs.

    Downloads that were not finished stay for a week, as they may be resumed. The daemon prunes whenever it
    starts, unless OLLAPY_NOPRUNE is set.
    """
    from ollapy.api.care import PruneRequest
    from ollapy.cli.output import print_json
    from ollapy.cli.session import connected

    with connected() as client:
        answer = client.prune(
            PruneRequest(all=all_, kv_cache=kv_cache, dry_run=dry_run)
        )
    if as_json:
        print_json(answer)
    else:
        _report(answer, dry_run=dry_run)


def _report(answer: PruneResponse, *, dry_run: bool) -> None:
    from ollapy.cli.output import print_table
    from ollapy.units import format_bytes

    if not answer.removed:
        print("nothing to free")
        return
    if dry_run:
        rows = ((r.kind, r.name[:19], format_bytes(r.size)) for r in answer.removed)
        print_table(("KIND", "ID", "SIZE"), rows)
    verb = "would free" if dry_run else "freed"
    print(f"{verb} {format_bytes(answer.size)}: {_counted(answer.removed)}")


def _counted(removed: list[Unneeded]) -> str:
    """`2 blobs, 1 download`."""
    kinds = Counter(thing.kind for thing in removed)
    return ", ".join(
        f"{count} {_WORDS.get(kind, kind)}{'s' if count > 1 else ''}"
        for kind, count in kinds.items()
    )
