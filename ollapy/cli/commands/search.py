"""`ollapy search`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # reads Modelfiles, which `ollapy --help` does not need
    from ollapy.catalog import Entry


def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORDS]...", help="What name and summary have in them."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object, sizes in bytes.")
    ] = False,
) -> None:
    """List the models that `ollapy pull` knows by a short name.

    Others come by their full names: hf.co/user/repository, or a name of Ollama's registry.
    """
    from ollapy import catalog
    from ollapy.cli.output import print_json, print_table

    found = catalog.search(words or [])
    if not found:
        raise _nothing(" ".join(words or []))
    if as_json:
        print_json({"models": [_record(entry) for entry in found]})
    else:
        print_table(("NAME", "SIZE", "SUMMARY"), map(_row, found))


def _row(entry: Entry) -> tuple[str, ...]:
    from ollapy.units import format_bytes

    return str(entry.name), format_bytes(entry.size), entry.summary


def _record(entry: Entry) -> dict[str, str | int]:
    return {
        "name": str(entry.name),
        "size": entry.size,
        "summary": entry.summary,
        "from": entry.modelfile.sources[0],
    }


def _nothing(text: str) -> Exception:
    """With the names that are most like the text, or where else to look."""
    from ollapy.catalog import nearest
    from ollapy.errors import NotFound

    close = " or ".join(f"'{name}'" for name in nearest(text)[:3])
    cure = (
        f"did you mean {close}?" if close else "'ollapy search' lists all that it has"
    )
    return NotFound(f"nothing in the catalog fits '{text[:80]}', {cure}")
