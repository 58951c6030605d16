"""Session: a conversation at the terminal."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from ollapy.api.ollama import InferenceResponse, Message
from ollapy.cli.answer import AnswerPrinter, print_answer
from ollapy.cli.attachments import attached, begins_with_file, takes_files
from ollapy.cli.ending import end_in_order
from ollapy.cli.figures import rate
from ollapy.cli.output import complain, print_text, talk
from ollapy.cli.spinner import Spinner
from ollapy.cli.style import Style
from ollapy.client import Client
from ollapy.errors import DaemonUnreachable, OllapyError

from .command import Candidate, candidates, find, unknown
from .conversation import Conversation
from .entry import message
from .prompt import Prompt
from .set_commands import SET_COMMANDS
from .show_commands import SHOW_COMMANDS
from .talk_commands import TALK_COMMANDS


class Session:
    """One conversation after the other, with what the commands change."""

    commands = (*TALK_COMMANDS, *SHOW_COMMANDS, *SET_COMMANDS)

    def __init__(
        self, client: Client, conversation: Conversation, style: Style
    ) -> None:
        self.client = client
        self.conversation = conversation
        self.style = style
        self.has_ended = False
        self._sees = False  # whether paths in what is said mean their files
        self.final: InferenceResponse | None = None  # of the last answer
        self.prompt = Prompt(self._candidates, self._status)

    def run(self) -> None:
        """Read, answer, repeat, until Ctrl-D or /bye."""
        end_in_order()
        self.load(self.conversation.model)
        while not self.has_ended:
            try:
                entry = self.prompt.read()
            except EOFError:
                return
            except KeyboardInterrupt:
                talk("Use Ctrl + d or /bye to exit.")
                continue
            self._take(entry)

    def load(self, model: str) -> None:
        """Begin anew with a model, and show what it has behind it; with another than now only if it loads."""
        fresh = replace(self.conversation, model=model, messages=[])
        with (
            Spinner(self.client),
            closing(self.client.chat(fresh.loading())) as records,
        ):
            for _ in records:
                pass
        self.conversation, self.final = fresh, None
        shown = self.client.show(model)
        self._sees = takes_files(shown)
        for said in shown.messages or []:
            mark = ">>> " if said.role == "user" else ""
            print_text(f"{mark}{said.content}\n")

    def _take(self, entry: str) -> None:
        """An entry; what the daemon refuses does not end the session."""
        try:
            if entry.lstrip().startswith("/") and not self._is_file(entry):
                self.obey(entry)
            elif text := message(entry):
                self.answer(attached(text) if self._sees else Message("user", text))
        except DaemonUnreachable:
            raise
        except OllapyError as exc:
            complain(exc)
        except KeyboardInterrupt:  # of a command that takes long
            print()

    def _is_file(self, entry: str) -> bool:
        return self._sees and begins_with_file(entry)

    def obey(self, entry: str) -> None:
        """A command."""
        if found := find(self.commands, entry):
            command, rest = found
            command.act(self, rest)
        else:
            talk(unknown(self.commands, entry))

    def answer(self, question: Message) -> None:
        """An exchange, which is kept as far as it came before Ctrl-C; an error leaves all as it was."""
        printer = AnswerPrinter(self.style, Spinner(self.client))
        try:
            with closing(
                self.client.chat(self.conversation.asking(question))
            ) as records:
                self.final = print_answer(records, printer)
        except KeyboardInterrupt:
            print("\n")
        if printer.text:
            self.conversation.keep(question, printer.text)

    def model_names(self) -> list[str]:
        """Of the store."""
        return [model.name for model in self.client.tags().models]

    def _candidates(self, entry: str) -> list[Candidate]:
        try:
            return [*candidates(self.commands, entry, self)]
        except OllapyError:  # typing goes on without a list of models
            return []

    def _status(self) -> str:
        """The bottom line."""
        return "  ·  ".join([self.conversation.model, *_facts(self.final)])


def _facts(final: InferenceResponse | None) -> list[str]:
    if final is None or final.ollapy is None:
        return []
    context = final.ollapy.context
    used = context.prompt_tokens + final.eval_count
    speed = rate(final.eval_count, final.eval_duration)
    return [f"context {used} / {context.limit}", *([speed] if speed else [])]
