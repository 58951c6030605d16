"""The service: who answers at the address, who else runs models, and whether the store is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psutil

from ollapy import __version__
from ollapy.cli.session import check
from ollapy.client import Client
from ollapy.errors import DaemonUnreachable, EngineMissing, OllapyError
from ollapy.settings import Address, Settings
from ollapy.store import Store, VllmModel
from ollapy.vllm.program import program

from .finding import Finding


def findings(settings: Settings) -> Iterator[Finding]:
    """What was found."""
    yield _daemon(settings.address)
    for process in psutil.process_iter(["name"]):
        if process.info["name"] in ("ollama", "ollama.exe"):
            yield Finding(
                "neighbour",
                f"Ollama runs as process {process.pid}",
                "stop it where memory is short: both load models into the same",
            )
    if settings.address.is_local:
        yield from _store(settings)


def _daemon(address: Address) -> Finding:
    try:
        with Client(address) as client:
            daemon = check(client).ollapy
    except DaemonUnreachable as exc:
        if address.is_local:
            text = f"none at {address}, 'ollapy run' starts one"
            return Finding("daemon", text)
        return Finding("daemon", str(exc), "check OLLAPY_HOST and the other machine")
    except OllapyError as exc:
        sentence, _, cure = str(exc).partition(": ")
        return Finding("daemon", sentence, cure or "set OLLAPY_HOST to another address")
    text = f"ollapy {daemon} answers at {address}"
    if daemon == __version__:
        return Finding("daemon", text)
    return Finding("daemon", text, "'ollapy serve --stop' makes way for this release")


def _store(settings: Settings) -> Iterator[Finding]:
    """The models as they are written down; 'ollapy verify' reads their bytes."""
    with closing(Store(settings.models)) as store:
        try:
            models, damaged = store.survey()
        except (OllapyError, OSError) as exc:
            yield Finding("store", str(exc), "set OLLAPY_MODELS to a folder of yours")
            return
    yield Finding("store", f"{len(models)} model(s) at {settings.models}")
    for name, problem in damaged.items():
        cure = f"'ollapy pull {name}' brings it again, 'ollapy rm {name}' forgets it"
        yield Finding("store", f"{name}: {problem}", cure)
    if any(isinstance(model, VllmModel) for model in models):
        yield _vllm(settings)


def _vllm(settings: Settings) -> Finding:
    """For who has models that run in it; as this process finds the program, and with the same settings a daemon."""
    try:
        return Finding("vllm", f"is started by {program(settings)[0]}")
    except EngineMissing as exc:
        sentence, _, cure = str(exc).partition(": ")
        return Finding("vllm", sentence, cure)
