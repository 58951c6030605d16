"""The interactive session of `ollapy run`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from ollapy.api.ollama import ChatRequest, Message
from ollapy.client import Client
from ollapy.errors import DaemonUnreachable, OllapyError

from .output import AnswerPrinter, statistics, talk

_HELP = """\
  /clear        Clear session context
  /bye          Exit
  /?, /help     Help for a command

Use \"\"\" to begin a multi-line message."""
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
        talk("Send a message (/? for help)")
        with suppress(EOFError):
            while True:
                try:
                    if not self._handle(_read_message()):
                        return
                except KeyboardInterrupt:
                    talk("\nUse Ctrl + d or /bye to exit.")
        print()

    def _handle(self, text: str) -> bool:
        """Act on one entry; False ends the session."""
        match text.strip():
            case "":
                pass
            case "/bye" | "/exit":
                return False
            case "/?" | "/help":
                talk(_HELP)
            case "/clear":
                self.messages.clear()
                talk("Cleared session context")
            case command if command.startswith("/"):
                talk(f"Unknown command '{command}'. Type /? for help")
            case _:
                self._answer(Message("user", text))
        return True

    def _answer(self, message: Message) -> None:
        """One exchange. Ctrl-C stops it and keeps what came; an error leaves the conversation as it was."""
        printer = AnswerPrinter(show_thinking=self.show_thinking)
        request = ChatRequest(
            model=self.template.model,
            think=self.template.think,
            keep_alive=self.template.keep_alive,
            messages=[*self.messages, message],
        )
        answer = ""
        try:
            for record in self.client.chat(request):
                printer.thinking(record.message.thinking or "")
                printer.content(record.message.content or "")
                answer += record.message.content or ""
                if record.done and self.verbose:
                    talk("\n" + statistics(record))
        except DaemonUnreachable:
            raise
        except OllapyError as exc:
            talk(f"Error: {exc}")
            return
        except KeyboardInterrupt:
            pass
        printer.finish()
        self.messages += [message, Message("assistant", answer)]


def _read_message() -> str:
    text = input(">>> ")
    if not text.startswith(_FENCE):
        return text
    text = text.removeprefix(_FENCE)
    while not text.rstrip().endswith(_FENCE):
        text += "\n" + input("... ")
    return text.rstrip().removesuffix(_FENCE)
