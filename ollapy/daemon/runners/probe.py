"""The probe: the inference library, asked in a child process that it may end as it likes."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import msgspec

from ollapy.api.engine import Buffer, Device, EngineReport, Rehearsal
from ollapy.decoding import from_json
from ollapy.errors import EngineMissing

logger = logging.getLogger(__name__)

_SECONDS = 60
_WORKER_SECONDS = 10
_REACH_SECONDS = 2
_REHEARSAL_SECONDS = 30
# A build's backends are libraries beside each other; these drive no accelerator of this machine.
_BACKEND = re.compile(r"(?:lib)?ggml-(?!base|cpu|blas|rpc)[a-z]+")


def knows_accelerators(env: Mapping[str, str]) -> bool:
    """Whether the installed library drives more than the processor, seen without loading it."""
    if given := env.get("LLAMA_CPP_LIB_PATH"):
        folders = [Path(given)]
    else:
        spec = find_spec("llama_cpp")
        locations = (spec and spec.submodule_search_locations) or []
        folders = [Path(location) / "lib" for location in locations]
    files = (file for folder in folders if folder.is_dir() for file in folder.iterdir())
    return any(_BACKEND.match(file.name) for file in files)


async def ask(env: Mapping[str, str]) -> EngineReport:
    """What the library says of itself, as a runner would have it; EngineMissing says why it cannot."""
    return await _ask(env, (), _SECONDS)


async def ask_worker(endpoint: str, env: Mapping[str, str]) -> list[Device]:
    """The devices of an RPC worker; EngineMissing where none answers there, or none that this library understands.

    That it answers at all is seen before llama.cpp tries, which ends its process where it cannot connect.
    """
    host, _, port = endpoint.rpartition(":")
    try:
        async with asyncio.timeout(_REACH_SECONDS):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.close()
    except TimeoutError as exc:
        raise Stranger(_unreachable(endpoint, "no answer")) from exc
    except OSError as exc:
        is_system_s = (exc.errno or 0) > 0  # a name that cannot be resolved has others
        why = os.strerror(exc.errno or 0) if is_system_s else exc.strerror or str(exc)
        raise EngineMissing(_unreachable(endpoint, why)) from exc
    try:
        report = await _ask(env, (endpoint,), _WORKER_SECONDS)
    except _Ended as exc:
        raise Stranger(
            f"what answers at {endpoint} is no RPC worker of this release of llama.cpp: "
            "start its rpc-server of the same release, or correct OLLAPY_RPC"
        ) from exc
    return report.devices


def _unreachable(endpoint: str, why: str) -> str:
    return f"the RPC worker {endpoint} cannot be reached ({why}): start it, or correct OLLAPY_RPC"


class Stranger(EngineMissing):
    """What does not answer as a worker does, after a while of waiting."""


class _Ended(EngineMissing):
    """The child was ended by a signal, or had to be."""


async def rehearse(rehearsal: Rehearsal, env: Mapping[str, str]) -> list[Buffer] | None:
    """The buffers that llama.cpp would compute in; None where it cannot say, of which the load will say more."""
    asked = msgspec.json.encode(rehearsal).decode()
    try:
        out = await _run("ollapy.llama.dry_run", (asked,), env, _REHEARSAL_SECONDS)
        return from_json(out, list[Buffer])
    except (EngineMissing, msgspec.DecodeError) as exc:
        logger.info("no rehearsal: %s", exc)
        return None


async def _ask(
    env: Mapping[str, str], arguments: tuple[str, ...], seconds: float
) -> EngineReport:
    out = await _run("ollapy.llama", arguments, env, seconds)
    try:
        return from_json(out, EngineReport)
    except msgspec.DecodeError as exc:
        raise EngineMissing(
            "llama.cpp could not be asked for its devices, install llama-cpp-python again"
        ) from exc


async def _run(
    module: str, arguments: tuple[str, ...], env: Mapping[str, str], seconds: float
) -> bytes:
    """What a module prints; EngineMissing where it does not end well."""
    pipe = asyncio.subprocess.PIPE  # the end of its stdin is the child's end
    command = (sys.executable, "-E", "-P", "-m", module, *arguments)
    try:
        child = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, env=dict(env)
        )
    except OSError as exc:
        raise EngineMissing(
            f"llama.cpp cannot be asked ({exc.strerror}), end other programs"
        ) from exc
    assert child.stdout
    assert child.stderr
    try:
        async with asyncio.timeout(seconds):
            out, err = await asyncio.gather(child.stdout.read(), child.stderr.read())
            _check(await child.wait(), err)
    except TimeoutError as exc:
        raise _Ended(
            f"llama.cpp says nothing for {seconds} seconds, restart the machine: a device may hang"
        ) from exc
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return out


def _check(status: int, err: bytes) -> None:
    if status < 0:
        raise _Ended(
            f"llama.cpp was ended by signal {-status} as it loaded, "
            "install llama-cpp-python again, from source"
        )
    if status:
        last = err.decode(errors="replace").strip().rpartition("\n")[2]
        raise EngineMissing(last.partition(": ")[2])
