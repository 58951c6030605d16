"""Run: what `ollapy run` is asked to do, and how it is done. It knows nothing of the command line's parser."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ollapy.cli.session import connected
from ollapy.cli.style import Style

if TYPE_CHECKING:  # imported while there is something to wait for
    from ollapy.api.ollama import ShowResponse
    from ollapy.client import Client


_MAX_PIPED = 16_000_000  # characters; a pipe may never end


@dataclass(frozen=True, slots=True)
class Run:
    """A model, and what is wanted of it; without a `prompt`, on a terminal, a session."""

    model: str
    prompt: list[str] | None = None
    think: bool | int | str | None = None
    keep_alive: str | None = None
    format: Any = None
    system: str | None = None
    options: dict[str, object] = field(default_factory=dict)
    truncate: bool | None = None
    dimensions: int | None = None
    insecure: bool = False
    as_json: bool = False
    style: Style = field(default_factory=Style)

    def carry_out(self) -> None:
        """Have it done by the daemon, which is started if none is running."""
        from ollapy.cli.called import check_called

        check_called(self.model)
        text = _given(self.prompt or [])
        with connected(start=True) as client:
            shown = self._shown(client)
            if "completion" not in shown.capabilities:
                self._embed(client, text)
            elif text or self.prompt is not None or self.as_json or not _is_terminal():
                self._answer(client, shown, text)
            else:
                self._talk(client)

    def _shown(self, client: Client) -> ShowResponse:
        """What the model is; one that is not here is brought here, from another program where that has it."""
        from ollapy.errors import ModelNotFound

        try:
            return client.show(self.model)
        except ModelNotFound:
            self._fetch(client)
        return client.show(self.model)

    def _fetch(self, client: Client) -> None:
        """Where nobody is reached who could have the model, one that is here may be meant."""
        from ollapy.api.ollama import PullRequest
        from ollapy.cli.commands.pull import fetch
        from ollapy.cli.output import nearest
        from ollapy.errors import NotOnRemote, OllapyError, Unauthorized

        try:
            fetch(client, PullRequest(self.model, insecure=self.insecure, local=True))
        except (NotOnRemote, Unauthorized):
            raise
        except OllapyError as exc:
            if near := nearest(self.model):
                said = str(exc).partition("; did you mean ")[0]  # what is nowhere near
                raise OllapyError(
                    f"{said}; did you mean '{near}', which is here?"
                ) from exc
            raise

    def _answer(self, client: Client, shown: ShowResponse, text: str) -> None:
        from ollapy.api.ollama import GenerateRequest, Message
        from ollapy.cli.answer import AnswerPrinter, print_answer, whole_answer
        from ollapy.cli.attachments import attached, takes_files
        from ollapy.cli.spinner import Spinner

        said = attached(text) if takes_files(shown) else Message("user", text)
        records = client.generate(
            GenerateRequest(
                self.model,
                think=self.think,
                keep_alive=self.keep_alive,
                format=self.format,
                options=self.options,
                system=self.system,
                prompt=said.content,
                images=said.images,
            )
        )
        if self.as_json:
            from ollapy.cli.output import print_json

            with Spinner(client):
                answer = whole_answer(records)
            print_json(answer)
        else:
            print_answer(records, AnswerPrinter(self.style, Spinner(client)))

    def _talk(self, client: Client) -> None:
        from ollapy.cli.repl import Conversation, Session

        conversation = Conversation(
            self.model,
            self.think,
            self.keep_alive,
            self.format,
            self.system or "",
            self.options,
        )
        Session(client, conversation, self.style).run()

    def _embed(self, client: Client, text: str) -> None:
        from ollapy.api.ollama import EmbedRequest
        from ollapy.cli.output import print_json
        from ollapy.cli.spinner import Spinner
        from ollapy.errors import InvalidRequest

        if not text:
            raise InvalidRequest(
                f'embedding models require input text. Usage: ollapy run {self.model} "your text here"'
            )
        wanted = EmbedRequest(
            self.model,
            text,
            truncate=self.truncate,
            dimensions=self.dimensions,
            keep_alive=self.keep_alive,
        )
        with Spinner(client):
            answer = client.embed(wanted)
        print_json(answer.embeddings[0])


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _given(words: Iterable[str]) -> str:
    """What was piped in, then the words of the command line."""
    from ollapy.errors import InvalidRequest

    try:
        piped = "" if sys.stdin.isatty() else sys.stdin.read(_MAX_PIPED + 1)
    except UnicodeDecodeError as exc:
        raise InvalidRequest(f"what was piped in is not {exc.encoding} text") from exc
    if len(piped) > _MAX_PIPED:
        raise InvalidRequest(
            f"more than {_MAX_PIPED:,} characters were piped in, which no model reads"
        )
    piped = piped.strip("\n")
    return "\n".join(part for part in (piped, " ".join(words)) if part)
