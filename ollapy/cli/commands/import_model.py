"""`ollapy import`."""

from __future__ import annotations

from typing import Annotated

import typer

from .create import Quantize
from .registry import AsJson


def import_models(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            show_default=False,
            help="Files or folders on this machine.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What it is to be called. Otherwise its file or folder says that.",
            show_default=False,
        ),
    ] = None,
    quantize: Quantize = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace another model of that name.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give names to models that are files on this machine. Nothing is copied.

    A PATH is a GGUF file, any part of a split one, or a folder: of a Hugging Face model with safetensors, which
    is converted, or of GGUF files, all of which are imported. A projector (mmproj) beside a model comes along.
    The files stay yours, but changing one damages the model.

    The daemon is started if none is running, and stays.

    Examples: `ollapy import mistral-7b-Q4_K_M.gguf`, `ollapy import ./Qwen3-4B --name qwen -q q4_k_m`
    """
    from ollapy.cli.importing import Importer, models_at
    from ollapy.cli.session import connected, for_each
    from ollapy.settings import Settings

    models = [model for path in paths for model in models_at(path)]
    if name is not None and len(models) > 1:
        names = ", ".join(model.name for model in models)
        raise typer.BadParameter(
            f"it is for one model, and these are {len(models)}: {names}",
            param_hint="--name",
        )
    with connected(start=True) as client:
        importer = Importer(
            client, Settings.from_env(), name, quantize, force=force, as_json=as_json
        )
        for_each(models, importer.run)
