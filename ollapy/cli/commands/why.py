"""`ollapy why`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ollapy.errors import NotFound

if TYPE_CHECKING:
    from ollapy.api.status import RequestEntry

_HEADER = ("REQUEST", "WHEN", "KIND", "MODEL", "TOOK", "END")
_ANSWERS = ("chat", "generate", "embed", "rerank")


def why(
    request: Annotated[
        int | None,
        typer.Argument(
            metavar="[REQUEST]", help="Its number, the last one without."
        ),
    ] = None,
    listing: Annotated[
        bool, typer.Option("--list", "-l", help="List the requests that are known.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the entry and the sentences, as JSON on one line."),
    ] = False,
) -> None:  # fmt: skip
    """Say why a request took as long as it did and ended as it did.

    Where the model was, what of the prompt was in memory and where it parted from that, what was left out, for whom
    it waited, why it stopped, and what would make it faster. Requests are known until the daemon ends.
    """
    from ollapy.cli.session import connected

    with connected() as client:
        entries = client.requests()
    if listing:
        _print_list(entries, as_json=as_json)
    else:
        _print_entry(_chosen(entries, request), as_json=as_json)


def _chosen(entries: list[RequestEntry], number: int | None) -> RequestEntry:
    """That one, or the last that was answered; NotFound where there is none."""
    if number is not None:
        found = [entry for entry in entries if entry.id == number]
    else:
        answered = (e for e in entries if e.kind in _ANSWERS and e.outcome not in ("load", "unload"))  # fmt: skip
        found = sorted(answered, key=lambda entry: entry.id, reverse=True)
    if not found:
        what = f"request {number}" if number else "a request"
        raise NotFound(f"the daemon does not know of {what}, see `ollapy why --list`")
    return found[0]


def _print_entry(entry: RequestEntry, *, as_json: bool) -> None:
    from ollapy.cli.output import print_json, print_paragraphs
    from ollapy.cli.why import faster, sentences

    said, advice = sentences(entry), faster(entry)
    if as_json:
        print_json({"request": entry, "sentences": said, "faster": advice})
        return
    print_paragraphs(said)
    if advice:
        print_paragraphs(["", "To make it faster:", *(f"- {each}" for each in advice)])


def _print_list(entries: list[RequestEntry], *, as_json: bool) -> None:
    from ollapy.cli.output import print_json, print_table

    if as_json:
        print_json({"requests": entries})
    else:
        now = datetime.now(UTC)
        print_table(_HEADER, (_row(entry, now) for entry in entries))


def _row(entry: RequestEntry, now: datetime) -> tuple[str, ...]:
    from ollapy.cli.why.sentences import seconds
    from ollapy.units import format_relative, parse_time

    when = format_relative(parse_time(entry.created_at), now)
    took = seconds(entry.total_duration)
    return str(entry.id), when, entry.kind, entry.model or "-", took, entry.outcome
