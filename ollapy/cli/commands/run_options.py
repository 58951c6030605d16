"""The options of `ollapy run`."""

from __future__ import annotations

from typing import Annotated

import typer

from ollapy.cli import completion

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        autocompletion=completion.names,
        help="A model that is here, or a name as `ollapy pull` takes it.",
    ),
]
Prompt = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PROMPT...]", show_default=False, help="Answer this and exit."
    ),
]
Think = Annotated[
    str | None,
    typer.Option(
        metavar="LEVEL",
        help="--think alone, or --think= true, false, low, medium, high, max or a number of tokens.",
        show_default=False,
    ),
]
HideThinking = Annotated[
    bool, typer.Option("--hidethinking", help="Do not show the model's thoughts.")
]
KeepAlive = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="How long the model stays loaded, such as 5m.",
        show_default=False,
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Show timings after each answer.")
]
NoWordWrap = Annotated[
    bool, typer.Option("--nowordwrap", help="Do not break lines between words.")
]
Plain = Annotated[
    bool, typer.Option("--plain", help="Show Markdown as it was written.")
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="json|FILE",
        autocompletion=completion.forms,
        help="Have the answer in JSON, or as the JSON schema in a file says.",
        show_default=False,
    ),
]
System = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help="What the model is told to be, instead of its own system message.",
        show_default=False,
    ),
]
ModelOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        metavar="NAME=VALUE",
        autocompletion=completion.options,
        help="An option such as temperature=0; may come more than once.",
        show_default=False,
    ),
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print the answer with its thoughts, timings and context as one JSON object.",
    ),
]
Truncate = Annotated[
    bool | None,
    typer.Option(
        "--truncate/--no-truncate",
        help="For an embedding: whether a text that is too long is cut, or an error.",
        show_default=False,
    ),
]
Dimensions = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="For an embedding: its length.",
        show_default=False,
    ),
]
