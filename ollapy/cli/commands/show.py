"""`ollapy show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from ollapy.cli import completion
from ollapy.text import clean

from .as_json import AsJson

if TYPE_CHECKING:  # the wire types cost half of what `ollapy --help` takes
    from ollapy.api.ollama import ShowResponse

_TEXT_LINES = 2  # of the system text and the licence, unless asked for alone
_LIST_ITEMS = 8
_TEMPLATES = {"weights": "in the weights", "model": "in the Modelfile"}
_PROJECTOR = {
    "embedding length": "vision.embedding_length",
    "dimensions": "vision.projection_dim",
}


def show(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            autocompletion=completion.models,
            help="As `ollapy list` shows it.",
        ),
    ],
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
    as_json: AsJson = False,
) -> None:
    """Show what a model is.

    Of the texts only the beginning, and all of one with an option: `ollapy show --modelfile MODEL > Modelfile`.
    """
    if sum((license_, modelfile, parameters, template, system)) > 1:
        raise typer.BadParameter(
            "only one of '--license', '--modelfile', '--parameters', '--system', or '--template' can be specified"
        )
    from ollapy.cli.output import print_json, print_text
    from ollapy.cli.session import connected

    with connected() as client:
        shown = client.show(model, verbose=verbose)
    if as_json:
        print_json(shown)
        return
    chosen = (
        (license_, shown.license),
        (modelfile, shown.modelfile),
        (parameters, shown.parameters),
        (template, shown.template),
        (system, shown.system),
        (True, summary(shown, verbose=verbose)),
    )
    print_text(next(text for wanted, text in chosen if wanted))


def summary(shown: ShowResponse, *, verbose: bool) -> str:
    """Sections of rows, the headings indented by two columns and the rows by four."""
    return "\n".join(
        f"  {heading}\n" + "".join(f"    {row}\n" for row in rows)
        for heading, rows in _sections(shown, verbose=verbose)
        if rows
    ).rstrip("\n")


def _sections(shown: ShowResponse, *, verbose: bool) -> Iterator[tuple[str, list[str]]]:
    from ollapy.cli.table import columns

    yield "Model", columns(_facts(shown))
    yield "Capabilities", columns([name] for name in shown.capabilities)
    yield "Projector", columns(_projector_facts(shown.projector_info))
    parameters = shown.parameters.splitlines()
    yield "Parameters", columns(line.split(maxsplit=1) for line in parameters)
    if verbose:
        info = sorted(shown.model_info.items())
        yield "Metadata", columns((key, _short(value)) for key, value in info)
        tensors = ((t.name, t.type, str(t.shape)) for t in shown.tensors)
        yield "Tensors", columns(tensors)
    yield "System", _beginning(shown.system)
    yield "License", _beginning(shown.license)


def _facts(shown: ShowResponse) -> Iterator[tuple[str, str]]:
    details, info = shown.details, shown.model_info
    if shown.remote_host:
        yield from _remote_facts(shown)
        return
    if shown.ollapy and shown.ollapy.engine:
        yield "runs in", clean(shown.ollapy.engine)
        yield "of", clean(shown.ollapy.source)
        return
    yield "architecture", details.family
    yield "parameters", details.parameter_size
    for label in ("context length", "embedding length"):
        if value := info.get(f"{details.family}.{label.replace(' ', '_')}"):
            yield label, str(value)
    yield "quantization", details.quantization_level
    if shown.requires:
        yield "requires", shown.requires
    yield from _own_facts(shown)


def _remote_facts(shown: ShowResponse) -> Iterator[tuple[str, str]]:
    """What is known of a model on another server."""
    yield "runs on", clean(shown.remote_host)
    yield "as", clean(shown.remote_model)
    if length := shown.details.context_length:
        yield "context length", str(length)


def _own_facts(shown: ShowResponse) -> Iterator[tuple[str, str]]:
    """What Ollama does not tell."""
    if shown.ollapy is None:
        return
    if owner := _TEMPLATES.get(shown.ollapy.template_of):
        yield "template", owner
    kinds = [file.kind for file in shown.ollapy.files]
    if (parts := kinds.count("model")) > 1:
        yield "files", str(parts)
    if adapters := kinds.count("adapter"):
        yield "adapters", str(adapters)


def _projector_facts(info: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    from ollapy.units import format_parameters

    if not info:
        return
    architecture, count = (
        info.get("general.architecture"),
        info["general.parameter_count"],
    )
    yield "architecture", str(architecture)
    if isinstance(count, int):
        yield "parameters", format_parameters(count)
    for label, key in _PROJECTOR.items():
        if value := info.get(f"{architecture}.{key}"):
            yield label, str(value)


def _short(value: object) -> str:
    """A metadata value; of a list, which may be a vocabulary, the beginning."""
    if not isinstance(value, list) or len(value) <= _LIST_ITEMS:
        return str(value)
    beginning = ", ".join(map(str, value[:_LIST_ITEMS]))
    return f"[{beginning}, ... +{len(value) - _LIST_ITEMS} more]"


def _beginning(text: str) -> list[str]:
    """The first lines that are not blank."""
    from ollapy.text import clean

    lines = [clean(line, keep="\t") for line in text.splitlines() if line.strip()]
    return [*lines[:_TEXT_LINES], "..."] if len(lines) > _TEXT_LINES else lines
