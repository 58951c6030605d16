"""`ollapy ps`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer


def ps(
    prefix: Annotated[
        str, typer.Argument(help="Only names that begin with this.", show_default=False)
    ] = "",
) -> None:
    """List the models that are loaded."""
    from ollapy.cli.output import table
    from ollapy.cli.session import connect
    from ollapy.units import format_bytes, format_relative, parse_time

    with connect() as client:
        models = [m for m in client.running() if m.name.startswith(prefix)]
    now = datetime.now(UTC)
    rows = [
        (
            *(
                m.name,
                m.digest[:12],
                format_bytes(m.size),
                _processor(m.size, m.size_vram),
            ),
            *(str(m.context_length), format_relative(parse_time(m.expires_at), now)),
        )
        for m in models
    ]
    print(table(("NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"), rows))


def _processor(size: int, size_vram: int) -> str:
    """Where the weights and the cache are."""
    if not size:
        return "Unknown"
    gpu = round(100 * size_vram / size)
    if gpu in (0, 100):
        return "100% GPU" if gpu else "100% CPU"
    return f"{100 - gpu}%/{gpu}% CPU/GPU"
