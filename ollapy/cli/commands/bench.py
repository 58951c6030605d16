"""`ollapy bench`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ollapy.cli import completion
from ollapy.names import BUILT_IN

if TYPE_CHECKING:
    from ollapy.client import Client

_QUIET = 0.15  # of the processor's time may be somebody else's


def bench(
    model: Annotated[
        str, typer.Argument(metavar="[MODEL]", autocompletion=completion.models, help="Its name; without, what is loaded, or tiny.")
    ] = "",
    depth: Annotated[
        list[int] | None,
        typer.Option("--depth", "-d", metavar="N", min=0, help="Tokens in the context before it is measured, again for several."),
    ] = None,
    streams: Annotated[
        list[int] | None,
        typer.Option("--streams", "-s", metavar="N", min=1, max=64, help="Answers at the same time, again for several."),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", min=1, max=100, help="Rounds to take the medians of.")] = 3,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="FILE", help="Beside what an earlier --json has written.")
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Instead find out how it is best computed here, and do so from now on.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on one line.")] = False,
) -> None:  # fmt: skip
    """Measure how fast a model is here, as its users have it.

    Tokens read and generated in a second at several depths of its context, several answers at once, the time to
    load it, its memory, and how near generating comes to what the memory's speed allows. It is loaded anew.

    Examples: `ollapy bench mistral`, `ollapy bench --json > before.json`, `ollapy bench --compare before.json`
    """
    from ollapy.cli.bench.bench import COUNTS
    from ollapy.cli.bench.bench import bench as measured
    from ollapy.cli.bench.result import read
    from ollapy.cli.bench.table import table
    from ollapy.cli.output import print_json, print_text, talk
    from ollapy.cli.session import connected
    from ollapy.settings import Settings

    before = read(compare) if compare else None
    with connected(start=True) as client:
        name = model or _default(client)
        if others := len(client.snapshot().requests):
            talk(f"Warning: {others} request(s) are being answered, which makes it slower")  # fmt: skip
        if tune:
            _tune(client, name, as_json=as_json)
            return
    result = measured(Settings.from_env(), name, depth or (), streams or COUNTS, rounds, talk)  # fmt: skip
    if before and before.digest != result.digest:
        talk(f"Warning: {compare} is about {before.model}, which is another model")
    if as_json:
        print_json(result)
    else:
        for line in table(result, before):
            print_text(line)


def _tune(client: Client, model: str, *, as_json: bool) -> None:
    from ollapy.cli.bench.trials import trials
    from ollapy.cli.output import print_json, print_text, talk

    talk("trying threads, tokens at once and attention, which takes up to a minute")
    found = client.tune(model)
    if found.others > _QUIET:
        talk(
            f"Warning: other programs took {100 * found.others:.0f}% of the processor meanwhile: do it again when it is quiet"
        )
    if as_json:
        print_json(found)
    else:
        for line in trials(found):
            print_text(line)


def _default(client: Client) -> str:
    """What is loaded, where that is one model."""
    loaded = client.running()
    return loaded[0].name if len(loaded) == 1 else BUILT_IN
