"""The --json of commands that show something."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print what the API answers, as JSON on one line."),
]
