"""The child process by itself: started as the daemon starts it, spoken to over its pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ollapy.api.ollama import Message
from ollapy.api.options import SamplingParams
from ollapy.runner.frames import FrameReader, frame
from ollapy.runner.protocol import (
    Chat,
    Chunk,
    Complete,
    Done,
    Failed,
    FromRunner,
    Load,
    Ready,
)
from ollapy.settings import Settings
from scripts.make_gguf import write_scripted
from tests.conftest import TINY
from tests.support.waiting import eventually


class Child:
    """A runner whose messages are read one by one."""

    def __init__(self) -> None:
        env = {**Settings.from_env(os.environ).runner_env}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-E", "-P", "-m", "ollapy.runner"],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=env,
            bufsize=0,
        )
        self._messages = self._read()

    def send(self, message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(frame(message))

    def _read(self) -> Iterator[Any]:
        assert self.process.stdout is not None
        reader = FrameReader(FromRunner)
        while data := self.process.stdout.read(1 << 16):
            yield from reader.feed(data)

    def until(self, *kinds: type) -> Any:
        """The next message of one of these kinds."""
        return next(message for message in self._messages if isinstance(message, kinds))

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child()
    yield child
    child.process.kill()
    child.process.wait(10)
    child.close()


def load(path: Path = TINY) -> Load:
    return Load(
        [str(path)],
        num_cells=1024,
        num_ctx=1024,
        max_sequences=4,
        num_batch=128,
        num_threads=1,
    )


def complete(prompt: str, **params: Any) -> Complete:
    return Complete(
        id=1,
        prompt=prompt,
        suffix=None,
        sampling=SamplingParams(temperature=0, **params),
        num_ctx=None,
    )


def test_a_conversation_over_frames(child: Child) -> None:
    child.send(load())
    ready = child.until(Ready, Failed)
    assert (ready.num_ctx, ready.max_sequences) == (1024, 4)
    assert ready.size > TINY.stat().st_size
    question = Message("user", "What is the capital of Japan?")
    child.send(
        Chat(
            id=7,
            messages=[question],
            tools=None,
            think=False,
            sampling=SamplingParams(temperature=0),
            num_ctx=None,
            truncate=True,
        )
    )
    messages = []
    while not messages or not isinstance(messages[-1], Done):
        messages.append(child.until(Chunk, Done))

    assert "".join(m.content for m in messages[:-1]) == "The capital of Japan is Tokyo."
    assert {m.id for m in messages} == {7}
    assert messages[-1].usage.num_generated == 8


@pytest.mark.parametrize("when", ["idle", "loading", "generating"])
def test_the_end_of_its_pipe_is_its_end(
    child: Child, when: str, tmp_path: Path
) -> None:
    """However busy it is, and with nobody to kill it."""
    write_scripted(tmp_path / "endless.gguf", "on and on ", endless=True)
    if when != "idle":
        child.send(load(tmp_path / "endless.gguf"))
    if when == "generating":
        child.until(Ready)
        child.send(complete("go"))
        child.until(Chunk)
    assert child.process.stdin is not None
    child.process.stdin.close()

    assert child.process.wait(5) == 0


def test_garbage_on_its_pipe_is_its_end(child: Child) -> None:
    assert child.process.stdin is not None
    child.process.stdin.write(b"GET / HTTP/1.1\r\n\r\n")

    assert child.process.wait(5) == 0


def test_a_file_that_llama_cpp_refuses(child: Child, tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(64))
    child.send(load(tmp_path / "bad.gguf"))
    failed = child.until(Failed, Ready)

    assert (failed.id, failed.error) == (None, "LoadFailed")
    assert "could not load the model" in failed.message
    assert str(tmp_path) not in failed.message


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_has_no_secrets_and_leaves_no_core(child: Child) -> None:
    """B251, and core files would hold prompts."""
    proc = Path("/proc") / str(child.process.pid)
    child.send(load())
    child.until(Ready)
    names = {
        pair.split(b"=")[0]
        for pair in (proc / "environ").read_bytes().split(b"\0")
        if pair
    }
    core = next(
        line
        for line in (proc / "limits").read_text().splitlines()
        if "core file" in line
    )

    assert b"PYTHONPATH" not in names
    assert not {
        name
        for name in names
        if b"TOKEN" in name or b"KEY" in name or b"SECRET" in name
    }
    assert core.split()[4:6] == ["0", "0"]


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_it_dies_with_its_parent_even_when_the_pipe_stays_open(tmp_path: Path) -> None:
    """P19: a grandparent that holds the pipe open does not keep it alive."""
    read, write = os.pipe()
    script = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-E', '-P', '-m', 'ollapy.runner'], stdin={read}, stdout=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, pass_fds=[read]
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    stat = Path("/proc") / str(pid) / "stat"
    eventually(
        lambda: b"ollapy.runner" in (stat.parent / "cmdline").read_bytes(),
        "the runner did not start",
    )
    eventually(lambda: is_guarded(pid), "the runner did not ask to die with its parent")
    parent.send_signal(signal.SIGKILL)
    parent.wait(5)

    eventually(
        lambda: not stat.exists() or stat.read_text().split()[2] == "Z",
        "the runner outlived its parent",
    )
    for end in (read, write):
        os.close(end)
    parent.stdout.close()


def is_guarded(pid: int) -> bool:
    """Whether it has moved its pipes away, which it does after asking to die with its parent."""
    return Path(f"/proc/{pid}/fd/0").readlink() == Path(os.devnull)
