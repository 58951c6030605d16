"""`ollapy doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ollapy.cli.doctor import Finding


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was found, as JSON on one line.")
    ] = False,
) -> None:
    """Look at this machine, and say what is wrong and what cures it.

    Python, the inference library and its devices, processor, threads, memory, disk, daemon and store. Nothing
    is changed and nobody else is asked. The exit status is 1 where there is a warning.
    """
    from ollapy.cli.doctor import examine
    from ollapy.cli.output import print_json
    from ollapy.settings import Settings

    found = []
    for finding in examine(Settings.from_env()):
        found.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        print_json([_row(finding) for finding in found])
    if not all(finding.is_ok for finding in found):
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    from ollapy.cli.output import print_text

    state = "ok" if finding.is_ok else "warning"
    print_text(f"{state:<11}{finding.name:<13}{finding.text}")
    if finding.cure:
        print_text(f"{'':<11}{'':<13}-> {finding.cure}")


def _row(finding: Finding) -> dict[str, object]:
    return {
        "name": finding.name,
        "ok": finding.is_ok,
        "text": finding.text,
        "cure": finding.cure,
    }
