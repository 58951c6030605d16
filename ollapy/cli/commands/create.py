"""`ollapy create`."""

from __future__ import annotations

from typing import Annotated

import typer

from .registry import AsJson, explained

Quantize = Annotated[
    str | None,
    typer.Option(
        "--quantize",
        "-q",
        metavar="TYPE",
        help="Make the weights smaller, such as q4_k_m. They have to be F32, F16 or BF16.",
        show_default=False,
    ),
]


def create(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="What it is to be called.")
    ],
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            "-f",
            metavar="PATH",
            help="The Modelfile; - reads it from what is piped in. [default: ./Modelfile]",
            show_default=False,
        ),
    ] = None,
    quantize: Quantize = None,
    as_json: AsJson = False,
) -> None:
    """Make a model of a Modelfile.

    Another model of that name is replaced. FROM takes the name of a model, a GGUF file, or a folder with safetensors or GGUF files; paths are relative
    to the Modelfile. Files on the daemon's machine are not copied. Without a Modelfile the model is what is in
    this folder.

    The daemon is started if none is running, and stays.

    Examples: `ollapy create poet`, `ollapy create poet -f poet.Modelfile`, `ollapy create small -q q4_k_m`
    """
    from ollapy.cli.blueprint import blueprint
    from ollapy.cli.called import check_name
    from ollapy.cli.delivery import Delivery
    from ollapy.cli.modelfile import read_modelfile
    from ollapy.cli.output import talk
    from ollapy.cli.progress import progress
    from ollapy.cli.session import connected
    from ollapy.settings import Settings

    check_name(model)
    made = blueprint(model, *read_modelfile(file), quantize)
    made.check()
    with connected(start=True) as client:
        try:
            with (
                progress(as_json=as_json) as show,
                Delivery(client, Settings.from_env(), show) as delivery,
                explained(made.request.from_ or model),
            ):
                delivery.make(made, delivery.bring(made))
        except KeyboardInterrupt:
            talk(f"Stopped, '{model}' is what it was before.")
            raise
