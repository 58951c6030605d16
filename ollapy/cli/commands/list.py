"""`ollapy list`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer


def list_models(
    prefix: Annotated[
        str, typer.Argument(help="Only names that begin with this.", show_default=False)
    ] = "",
) -> None:
    """List the models on this machine."""
    from ollapy.cli.output import table
    from ollapy.cli.session import connect
    from ollapy.units import format_bytes, format_relative, parse_time

    with connect() as client:
        models = [
            m for m in client.models() if m.name.lower().startswith(prefix.lower())
        ]
    now = datetime.now(UTC)
    rows = [
        (
            m.name,
            m.digest[:12],
            format_bytes(m.size),
            format_relative(parse_time(m.modified_at), now),
        )
        for m in models
    ]
    print(table(("NAME", "ID", "SIZE", "MODIFIED"), rows))
