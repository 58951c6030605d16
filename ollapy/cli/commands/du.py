"""`ollapy du`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # the wire types cost half of what `ollapy --help` takes
    from ollapy.api.care import ModelUsage, UsageResponse

_HEADER = ("NAME", "SIZE", "OWN", "SHARED", "ELSEWHERE", "SHARED WITH")


def du(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object, in bytes.")
    ] = False,
) -> None:
    """Show what takes how much of the disk.

    OWN is what `ollapy rm` would free, SHARED what other models need too. ELSEWHERE are files of your own
    that a model uses in place.
    """
    from ollapy.cli.output import print_json, print_table
    from ollapy.cli.session import connected

    with connected() as client:
        usage = client.usage()
    if as_json:
        print_json(usage)
        return
    models = sorted(usage.models, key=lambda model: model.own, reverse=True)
    print_table(_HEADER, map(_row, models))
    for line in _totals(usage):
        print(line)


def _row(model: ModelUsage) -> tuple[str, ...]:
    from ollapy.units import format_bytes

    sizes = (model.size, model.own, model.shared, model.elsewhere)
    others = ", ".join(model.shared_with)
    return model.name, *(format_bytes(size) if size else "-" for size in sizes), others


def _totals(usage: UsageResponse) -> Iterator[str]:
    from ollapy.units import format_bytes

    yield f"\n{format_bytes(usage.total)} on the disk"
    rest = {
        "that no model needs": usage.unneeded,
        "of downloads that are not finished": usage.downloads,
        "of leftovers": usage.leftovers,
    }
    if usage.kv_cache:
        yield f"{format_bytes(usage.kv_cache)} of computed prompts beside, see 'ollapy prune --kv-cache'"
    for what, size in rest.items():
        if size:
            yield f"{format_bytes(size)} {what}, see 'ollapy prune --help'"
