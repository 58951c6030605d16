"""`ollapy show`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # the wire types cost half of what `ollapy --help` takes
    from ollapy.api.ollama import ShowResponse

_TEXT_LINES = 2  # of the system text and the licence, unless asked for alone


def show(
    model: str,
    license_: Annotated[
        bool, typer.Option("--license", help="Only the licence.")
    ] = False,
    modelfile: Annotated[
        bool, typer.Option("--modelfile", help="Only the Modelfile.")
    ] = False,
    parameters: Annotated[
        bool, typer.Option("--parameters", help="Only the parameters.")
    ] = False,
    template: Annotated[
        bool, typer.Option("--template", help="Only the template.")
    ] = False,
    system: Annotated[
        bool, typer.Option("--system", help="Only the system text.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Metadata and tensors too.")
    ] = False,
) -> None:
    """Show what a model is."""
    if sum((license_, modelfile, parameters, template, system)) > 1:
        raise typer.BadParameter(
            "only one of '--license', '--modelfile', '--parameters', '--system', or '--template' can be specified"
        )
    from ollapy.cli.session import connect
    from ollapy.text import clean

    with connect() as client:
        shown = client.show(model, verbose=verbose)
    chosen = (
        (license_, shown.license),
        (modelfile, shown.modelfile),
        (parameters, shown.parameters),
        (template, shown.template),
        (system, shown.system),
        (True, _summary(shown, verbose=verbose)),
    )
    print(clean(next(text for wanted, text in chosen if wanted), keep="\n\t"))


def _summary(shown: ShowResponse, *, verbose: bool) -> str:
    """Sections of rows, the headings indented by two columns and the rows by four."""
    sections = _sections(shown, verbose=verbose)
    return "\n".join(
        f"  {heading}\n" + "".join(f"    {row}\n" for row in rows)
        for heading, rows in sections
        if rows
    ).rstrip("\n")


def _sections(shown: ShowResponse, *, verbose: bool) -> Iterator[tuple[str, list[str]]]:
    yield "Model", _columns(_facts(shown))
    yield "Capabilities", shown.capabilities
    yield (
        "Parameters",
        _columns(line.split(maxsplit=1) for line in shown.parameters.splitlines()),
    )
    if verbose:
        yield (
            "Metadata",
            _columns(
                (key, str(shown.model_info[key])) for key in sorted(shown.model_info)
            ),
        )
        yield "Tensors", _columns((t.name, t.type, str(t.shape)) for t in shown.tensors)
    yield "System", _beginning(shown.system)
    yield "License", _beginning(shown.license)


def _facts(shown: ShowResponse) -> Iterator[tuple[str, str]]:
    details, info = shown.details, shown.model_info
    yield "architecture", details.family
    yield "parameters", details.parameter_size
    for label, key in (
        ("context length", "context_length"),
        ("embedding length", "embedding_length"),
    ):
        if value := info.get(f"{details.family}.{key}"):
            yield label, str(value)
    yield "quantization", details.quantization_level


def _columns(rows: Iterable[Iterable[str]]) -> list[str]:
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) + 4 for column in zip(*cells, strict=False)]
    return [
        "".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=False)).rstrip()
        for row in cells
    ]


def _beginning(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    return [*lines[:_TEXT_LINES], "..."] if len(lines) > _TEXT_LINES else lines
