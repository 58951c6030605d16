"""ollapy and other servers side by side: the same model file, threads and prompts, in turn on one machine.

    python -m scripts.bench versus --model model.gguf \\
      --server 'llama-server -m {model} --port {port} -t {threads} -c 65536 -np 8'

A server is any that answers `/v1/completions` and `/v1/chat/completions`. Give it room for eight
requests of `--context` tokens: llama-server divides its `-c` by `-np`. It may be given several times,
here with a slot for each of 32 clients, and an embedding server beside it:

      --server 'llama-server -m {model} --port {port} -t {threads} -c 65536 -np 32 --kv-unified' \\
      --embedding-server 'llama-server -m {model} --port {port} -t {threads} -c 16384 -np 8
                          --embeddings --pooling mean -b 2048 -ub 2048'
"""

from __future__ import annotations

import argparse
import json
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from scripts.bench.report import aligned, machine

from .command_server import CommandServer
from .comparison import HEADINGS, Comparison, compare
from .contenders import Contender, Ollapy, Terms
from .match import play
from .scenario import Size
from .scenarios import SCENARIOS


def main(words: list[str]) -> None:
    """Measure and print."""
    arguments = _arguments(words)
    found = {**machine(), "threads": str(arguments.threads), **_servers(arguments)}
    with tempfile.TemporaryDirectory(prefix="ollapy-bench-") as folder:
        rows = [
            *_compare(arguments, Path(folder), embeds=False),
            *_compare(arguments, Path(folder), embeds=True),
        ]
    if arguments.json:
        report = {"machine": found, "rows": [row.as_json() for row in rows]}
        print(json.dumps(report, indent=2))
        return
    print(aligned(list(found.items())))
    print(f"\n{aligned([HEADINGS, *(row.cells() for row in rows)])}")


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench versus",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_contenders(parser)
    _add_terms(parser)
    arguments = parser.parse_args(words)
    if not arguments.server and not arguments.embedding_server:
        parser.error(
            "nothing to compare with: give a --server or an --embedding-server"
        )
    return arguments


def _add_contenders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", type=_file, required=True, metavar="FILE", help="a GGUF file"
    )
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="COMMAND",
        help="a server to compare with (may be repeated); {model}, {port}, {threads} and {context} are filled in",
    )
    parser.add_argument(
        "--embedding-model",
        type=_file,
        metavar="FILE",
        help="a GGUF file for the embeddings (default: the model)",
    )
    parser.add_argument(
        "--embedding-server",
        action="append",
        default=[],
        metavar="COMMAND",
        help="a server for the embeddings, which are not measured without one",
    )


def _add_terms(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        action="append",
        choices=SCENARIOS,
        help="play this scenario alone (may be repeated)",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        help="how often each scenario is played (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of the words (default: %(default)s)"
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=psutil.cpu_count(logical=False) or 1,
        help="threads that compute (default: the physical cores, %(default)s)",
    )
    parser.add_argument(
        "--context",
        type=int,
        default=8192,
        help="tokens that one request may have (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=300.0,
        help="seconds that a server may be silent (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a file")
    return path


def _servers(arguments: argparse.Namespace) -> dict[str, str]:
    """The command lines by the names that the table uses."""
    return dict([*_named(arguments, embeds=False), *_named(arguments, embeds=True)])


def _named(arguments: argparse.Namespace, *, embeds: bool) -> Iterator[tuple[str, str]]:
    """The servers of one kind; a program that comes twice is numbered."""
    seen: dict[str, int] = {}
    for line in arguments.embedding_server if embeds else arguments.server:
        program = Path(shlex.split(line)[0]).name + (
            " for embeddings" if embeds else ""
        )
        seen[program] = number = seen.get(program, 0) + 1
        yield (f"{program} {number}" if number > 1 else program), line


def _compare(
    arguments: argparse.Namespace, folder: Path, *, embeds: bool
) -> Iterator[Comparison]:
    """The scenarios of one kind that were chosen."""
    chosen = [
        scenario
        for name, scenario in SCENARIOS.items()
        if scenario.embeds is embeds and name in (arguments.only or SCENARIOS)
    ]
    servers = dict(_named(arguments, embeds=embeds))
    if not chosen or not servers:
        return
    model = arguments.embedding_model if embeds else None
    terms = Terms(
        model=model or arguments.model,
        threads=arguments.threads,
        context=arguments.context,
        patience=arguments.timeout,
    )
    contenders = _contenders(
        folder / ("embeddings" if embeds else "text"), terms, servers
    )
    for scenario in chosen:
        own, *others = play(
            scenario,
            contenders,
            rounds=arguments.rounds,
            size=Size(),
            seed=arguments.seed,
        )
        for other in others:
            yield from compare(scenario, own, other)


def _contenders(folder: Path, terms: Terms, servers: dict[str, str]) -> list[Contender]:
    """ollapy first; the folder takes its store and everybody's logs."""
    ours = Ollapy(folder, terms)
    logs = (folder / f"server-{number}.log" for number in range(len(servers)))
    others = (
        CommandServer(name, line, log, terms)
        for (name, line), log in zip(servers.items(), logs, strict=True)
    )
    return [ours, *others]
