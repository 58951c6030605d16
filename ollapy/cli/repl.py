"""The interactive session of `ollapy run`."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass, field

import msgspec

from ollapy.api.ollama import ChatRequest, Message
from ollapy.client import Client
from ollapy.errors import DaemonUnreachable, OllapyError

from .answer import AnswerPrinter, print_answer
from .output import complain, talk

_HELP = """\
  /clear        Clear session context
  /bye          Exit
  /?, /help     Show this help

Use \"\"\" to begin and to end a multi-line message.
Ctrl-C stops an answer, Ctrl-D exits."""
_FENCE = '"""'


@dataclass(slots=True)
class Session:
    """A conversation with one model at the terminal."""

    client: Client
    template: ChatRequest  # everything of a request but its messages
    show_thinking: bool
    verbose: bool
    messages: list[Message] = field(default_factory=list)

    def run(self) -> None:
        """Read, answer, repeat, until Ctrl-D or /bye."""
        _edit_lines()
        talk("Send a message (/? for help)")
        try:
            while self._turn():
                pass
        except EOFError:
            print()  # the shell's prompt gets a line of its own

    def _turn(self) -> bool:
        """One entry; False ends the session."""
        try:
            entry = input(">>> ")
            if entry.startswith(_FENCE):
                self._answer(_read_rest(entry.removeprefix(_FENCE)))
                return True
        except KeyboardInterrupt:
            talk("\nUse Ctrl + d or /bye to exit.")
            return True
        return self._obey(entry)

    def _obey(self, entry: str) -> bool:
        match entry.split():
            case []:
                pass
            case ["/bye" | "/exit"]:
                return False
            case ["/?" | "/help", *_]:
                talk(_HELP)
            case ["/clear"]:
                self.messages.clear()
                talk("Cleared session context")
            case [word, *_] if word.startswith("/"):
                talk(f"Unknown command '{word}'. Type /? for help")
            case _:
                self._answer(entry)
        return True

    def _answer(self, text: str) -> None:
        """One exchange. Ctrl-C stops it and keeps what came; an error leaves the conversation as it was."""
        asked = [*self.messages, Message("user", text)]
        printer = AnswerPrinter(show_thinking=self.show_thinking)
        request = msgspec.structs.replace(self.template, messages=asked)
        try:
            with closing(self.client.chat(request)) as records:
                print_answer(records, printer, verbose=self.verbose)
        except DaemonUnreachable:
            raise
        except OllapyError as exc:
            complain(exc)
            return
        except KeyboardInterrupt:
            print("\n")
        if printer.text:
            self.messages = [*asked, Message("assistant", printer.text)]


def _edit_lines() -> None:
    """Importing readline gives `input` the arrow keys, a history and pasting of several lines."""
    with suppress(ImportError):
        import readline  # noqa: F401


def _read_rest(text: str) -> str:
    """A multi-line message, from after its opening quotes to before its closing ones."""
    while not text.rstrip().endswith(_FENCE):
        text += "\n" + input("... ")
    return text.rstrip().removesuffix(_FENCE).strip("\n")
