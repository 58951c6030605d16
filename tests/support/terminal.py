"""The command line as its user has it: as a process with pipes, or on a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyte

from tests.support.waiting import eventually

# What leaves no text: erase to the end of the line, the return before a line's end.
_INVISIBLE = re.compile(r"\x1b\[K|\r")
_CONTROL = re.compile(r"\x1b\[(?P<count>[0-9;?]*)(?P<act>[A-Za-z])|[^\x1b]")
CTRL_C, CTRL_D, UP = "\x03", "\x04", "\x1b[A"
# What may follow the ^C that a terminal shows: it comes in the middle of the word that is being written.
REST_OF_A_WORD = r"\w* ?"


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended and what it wrote."""

    status: int
    out: str
    err: str


def environment(host: str, **env: str) -> dict[str, str]:
    """This process's without its settings, and with these; an empty value takes a variable away."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("OLLAPY_", "OLLAMA_"))
    }
    changed = {
        "OLLAPY_HOST": host,
        "OLLAPY_CONFIG": os.devnull,  # not the one of who runs the tests
        "COLUMNS": "",  # the size is the terminal's own
        "LINES": "",
        "TERM": "xterm",
        "NO_COLOR": "",
        "OLLAPY_NOHISTORY": "1",
        **env,
    }
    return {k: v for k, v in {**kept, **changed}.items() if v}


def command(*words: str) -> list[str]:
    """The command line of `ollapy` with these words."""
    return [sys.executable, "-m", "ollapy", *words]


def ollapy(
    *words: str,
    host: str,
    given: str | bytes = "",
    env: Mapping[str, str] | None = None,
    python: str = sys.executable,
    folder: Path | None = None,
) -> Result:
    """Run `ollapy` with pipes to its end, in a folder. `given` is its standard input."""
    done = subprocess.run(
        [python, *command(*words)[1:]],
        input=given.encode() if isinstance(given, str) else given,
        capture_output=True,
        env=environment(host, **(env or {})),
        cwd=folder,
        timeout=60,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


class Terminal:
    """A process on a pseudo-terminal that is its own: Ctrl-C and Ctrl-D are keys."""

    def __init__(
        self, process: subprocess.Popen[bytes], master: int, columns: int, rows: int
    ) -> None:
        self.process = process
        self.emulator = _Emulator(columns, rows, self.type)
        self.raw = ""  # everything the terminal was sent
        self._master = master
        self._bytes = b""
        self._seen = 0
        self._stream = pyte.ByteStream(self.emulator)

    @property
    def lines(self) -> list[str]:
        """The screen as an emulator shows it, down to the last line that is not empty."""
        self._read()
        return (
            "\n".join(line.rstrip() for line in self.emulator.display)
            .rstrip()
            .split("\n")
        )

    @property
    def text(self) -> str:
        """What was sent, without what erases and with plain line ends."""
        return _INVISIBLE.sub("", self.raw)

    @property
    def screen(self) -> list[str]:
        """The lines that the person sees, if none is wider than the terminal."""
        rows, y, x = [""], 0, 0
        for found in _CONTROL.finditer(self.raw):
            if found["act"] == "A":
                y -= int(found["count"])
            elif found["act"] == "K":
                rows[y] = ""
            elif found[0] == "\r":
                x = 0
            elif found[0] == "\n":
                y += 1
                rows += [""] * (y + 1 - len(rows))
            elif not found["act"]:
                rows[y] = rows[y][:x].ljust(x) + found[0] + rows[y][x + 1 :]
                x += 1
        return rows

    @property
    def echoes(self) -> bool:
        """Whether it shows what is typed, a line at a time, as it does for a shell."""
        wanted = termios.ICANON | termios.ECHO
        return termios.tcgetattr(self._master)[3] & wanted == wanted

    def type(self, keys: str) -> None:
        """Press keys; `\\r` is Enter."""
        os.write(self._master, keys.encode())

    def expect(self, text: str) -> str:
        """Wait for a text that comes after what was expected before; what was sent up to its end."""
        eventually(
            lambda: self._find(text), f"no {text!r} in {self.text[self._seen :]!r}"
        )
        begin = self._seen
        self._seen = self.text.index(text, begin) + len(text)
        return self.text[begin : self._seen]

    def shows(self, text: str) -> None:
        """Wait for a text on the screen."""
        eventually(lambda: text in "\n".join(self.lines), f"no {text!r} in {self!r}")

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def wait(self) -> int:
        """The exit status, once everything has been read."""
        eventually(self._has_ended, f"still running: {self.text!r}")
        return self.process.returncode

    def _find(self, text: str) -> bool:
        self._read()
        return text in self.text[self._seen :]

    def _has_ended(self) -> bool:
        has_ended = self.process.poll() is not None
        self._read()
        return has_ended

    def _read(self) -> None:
        while select.select([self._master], [], [], 0)[0]:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # how Linux says that the other end is closed
                return
            if not data:
                return
            self._bytes += data
            self._stream.feed(data)
            self.raw = self._bytes.decode(errors="replace")


class _Emulator(pyte.Screen):
    """A screen that answers where its cursor is, as terminals do."""

    def __init__(self, columns: int, rows: int, answer: Callable[[str], None]) -> None:
        super().__init__(columns, rows)
        self.write_process_input = answer


@contextmanager
def terminal(
    *words: str, host: str, columns: int = 80, rows: int = 24, **env: str
) -> Iterator[Terminal]:
    """`ollapy` on a terminal, killed at the end if it has not ended."""
    with on_terminal(command(*words), environment(host, **env), columns, rows) as shown:
        yield shown


@contextmanager
def on_terminal(
    words: list[str], env: Mapping[str, str], columns: int = 80, rows: int = 24
) -> Iterator[Terminal]:
    """A program on a terminal of its own, killed at the end if it has not ended."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (rows, columns))
    process = subprocess.Popen(
        words,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=env,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    try:
        yield Terminal(process, master, columns, rows)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(master)
