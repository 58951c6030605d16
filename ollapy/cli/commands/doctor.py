"""`ollapy doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ollapy.cli.doctor import Finding
    from ollapy.settings import Settings


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was found, as JSON on one line.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write what was found, settings, the last requests without their words, and the log into a zip file.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Look at this machine, and say what is wrong and what cures it.

    Python, the inference library and its devices, processor, threads, memory, disk, daemon and store. Nothing
    is changed and nobody else is asked. The exit status is 1 where there is a warning.
    """
    from ollapy.cli.doctor import examine
    from ollapy.cli.output import print_json
    from ollapy.settings import Settings

    found: list[Finding] = []
    settings = Settings.from_env()
    for finding in examine(settings):
        found.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        print_json([_row(finding) for finding in found])
    if report:
        _write(report, found, settings)
    if not all(finding.is_ok for finding in found):
        raise typer.Exit(1)


def _write(path: Path, found: list[Finding], settings: Settings) -> None:
    from ollapy.cli.doctor import report
    from ollapy.cli.output import talk
    from ollapy.errors import InvalidRequest

    try:
        names = report.write(path, found, settings)
    except OSError as exc:
        raise InvalidRequest(f"the report could not be written to {path}: {exc.strerror}") from exc  # fmt: skip
    talk(f"Wrote {path}: {', '.join(names)}. Look into it before you send it to anybody.")  # fmt: skip


def _print(finding: Finding) -> None:
    from ollapy.cli.output import print_hanging

    state = "ok" if finding.is_ok else "warning"
    print_hanging(f"{state:<11}{finding.name:<13}", finding.text)
    if finding.cure:
        print_hanging(f"{'':<11}{'':<13}-> ", finding.cure)


def _row(finding: Finding) -> dict[str, object]:
    return {
        "name": finding.name,
        "ok": finding.is_ok,
        "text": finding.text,
        "cure": finding.cure,
    }
