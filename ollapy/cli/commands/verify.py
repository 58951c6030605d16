"""`ollapy verify`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ollapy.cli import completion

from .registry import AsJson, Insecure

if TYPE_CHECKING:  # the wire types cost half of what `ollapy --help` takes
    from ollapy.api.care import Damaged, VerifyProgress


def verify(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...]",
            autocompletion=completion.models,
            help="Only these.",
            show_default=False,
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Pull what is damaged again.")
    ] = False,
    insecure: Insecure = False,
    as_json: AsJson = False,
) -> None:
    """Read every byte of all models, and say what is damaged.

    What is damaged is set aside, so that pulling its model again brings just that. The exit status is 1
    where something is damaged and was not repaired.
    """
    from ollapy.api.care import VerifyRequest
    from ollapy.cli.progress import follow
    from ollapy.cli.session import connected

    request = VerifyRequest(models=models, repair=repair, insecure=insecure)
    damaged: list[Damaged] = []
    with connected() as client:
        records = client.verify(request)
        follow(_noted(records, damaged), as_json=as_json)
    if not as_json:
        _report(damaged)
    if not all(damage.repaired for damage in damaged):
        raise typer.Exit(1)


def _noted(
    records: Iterable[VerifyProgress], damaged: list[Damaged]
) -> Iterator[VerifyProgress]:
    """The records, whose damage is noted as they pass."""
    for record in records:
        damaged += record.damaged
        yield record


def _report(damaged: list[Damaged]) -> None:
    from ollapy.cli.output import print_text

    if not damaged:
        print("nothing is damaged")
    for damage in damaged:
        state = "repaired" if damage.repaired else "damaged"
        print_text(f"{state}: {damage.problem}")
