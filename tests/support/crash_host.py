"""The crash host: a process that forks for every try, so that one costs milliseconds and is lost alone.

    python -m tests.support.crash_host

Reads a line of JSON for each try, and answers with one.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from ollapy.api.ollama import CreateRequest
from ollapy.create.creator import Creator
from ollapy.create.recipe import recipe
from ollapy.errors import OllapyError
from ollapy.kvcache.folder import Folder
from ollapy.names import ModelName
from ollapy.operation import Operation
from ollapy.store import Layer, Manifest, Store
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE
from ollapy.store.prune import Limits
from tests.support.branches import branch
from tests.support.failpoints import Failpoints, Fault
from tests.support.offer import CONFIG, puller

_WEEK = 7 * 86400


@dataclass(frozen=True)
class Outcome:
    """How a try ended: `killed`, or with the class and sentence of an error; and the calls it made."""

    killed: bool = False
    error: str = ""
    sentence: str = ""
    calls: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it did what it was to do."""
        return not self.killed and not self.error


def pull(models: Path, name: str) -> None:
    puller(models).pull(ModelName.parse(name), Operation())


def copy(models: Path, source: str, destination: str) -> None:
    Store(models).copy(ModelName.parse(source), ModelName.parse(destination))


def remove(models: Path, name: str) -> None:
    Store(models).delete(ModelName.parse(name))


def upload(models: Path, text: str) -> None:
    Store(models).blobs.add([text.encode()] * 3)


def adopt(models: Path, name: str, file: str) -> None:
    """Make a model of a file that is elsewhere."""
    store = Store(models)
    with store.lease() as lease:
        digest = store.blobs.adopt(Path(file))
        lease.add(digest)
        config = store.blobs.add([CONFIG])
        lease.add(config)
        weights = Layer(f"{LAYER_TYPE}model", str(digest), Path(file).stat().st_size)
        manifest = Manifest(
            config=Layer(CONFIG_TYPE, str(config), len(CONFIG)), layers=[weights]
        )
        store.put(ModelName.parse(name), manifest)


def create(models: Path, name: str, source: str, file_type: str = "") -> None:
    """Make a model of another one, with texts of its own, in another precision if one is given."""
    _create(models, CreateRequest(name, from_=source, quantize=file_type or None))


def build(models: Path, name: str, file: str) -> None:
    """Make a model of a file that is elsewhere, as its client does."""
    digest = Store(models).blobs.adopt(Path(file))
    _create(models, CreateRequest(name, files={"it.gguf": str(digest)}))


def _create(models: Path, request: CreateRequest) -> None:
    texts = {"system": "Be brief.", "parameters": {"top_k": 7}}
    asked = recipe(msgspec.structs.replace(request, **texts))
    Creator(Store(models), os.environ, Operation()).create(asked)


def prune(models: Path) -> None:
    """When all is old enough: in the week after next."""
    now = time.time
    time.time = lambda: now() + 2 * _WEEK
    Store(models).prune()


def sweep(models: Path) -> None:
    """Delete all that nobody needs now, however young."""
    Store(models).prune(Limits(blobs=0, downloads=0))


def keep(models: Path, first: str) -> None:
    """Write what was computed of a prompt, which takes the place of its beginning."""
    folder = Folder(models / "kv", 1 << 20, "a model")
    written = branch(20, first=int(first), size=100_000)
    folder.write(written, math.inf)


OPERATIONS: dict[str, Callable[..., None]] = {
    call.__name__: call
    for call in (pull, copy, remove, upload, adopt, create, build, prune, sweep, keep)
}


class Host:
    """The test's end of it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin
        assert process.stdout
        self._in: IO[str] = process.stdin
        self._out: IO[str] = process.stdout

    def run(
        self, models: Path, operation: str, *args: str, fault: Fault | None = None
    ) -> Outcome:
        """Try an operation in a process of its own."""
        asked = [str(models), operation, list(args), asdict(fault or Fault())]
        self._in.write(json.dumps(asked) + "\n")
        self._in.flush()
        found = json.loads(self._out.readline())
        return Outcome(**{**found, "calls": tuple(found.get("calls", ()))})


@contextmanager
def crash_host(under: Sequence[str] = ()) -> Iterator[Host]:
    """A host, gone at the end; `under` are the words of a command that runs it."""
    command = [*under, sys.executable, "-m", "tests.support.crash_host"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Host(process)


def _serve() -> None:
    for line in sys.stdin:
        models, operation, args, fault = json.loads(line)
        print(json.dumps(_forked(Path(models), operation, args, Fault(**fault))))
        sys.stdout.flush()


def _forked(models: Path, operation: str, args: list[str], fault: Fault) -> Any:
    ends = os.pipe()
    receiving, sending = os.fdopen(ends[0], "rb"), os.fdopen(ends[1], "wb")
    child = os.fork()
    if child == 0:
        found = _tried(models, operation, args, fault)
        sending.write(json.dumps(found).encode())
        sending.flush()
        os._exit(0)
    sending.close()
    with receiving:
        found = receiving.read()
    os.waitpid(child, 0)
    return json.loads(found) if found else {"killed": True}


def _tried(models: Path, operation: str, args: list[str], fault: Fault) -> Any:
    points = Failpoints(fault)
    points.install()
    try:
        OPERATIONS[operation](models, *args)
    except OllapyError as exc:
        error, sentence = type(exc).__name__, str(exc)
    except Exception as exc:  # noqa: BLE001 - what no user should see, the test should
        error, sentence = f"raw {type(exc).__name__}", repr(exc)
    else:
        error = sentence = ""
    return {"error": error, "sentence": sentence, "calls": points.calls}


if __name__ == "__main__":
    _serve()
