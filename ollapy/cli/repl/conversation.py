"""Conversation: what was said, and how the next answer is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ollapy.api.ollama import ChatRequest, CreateRequest, Message


@dataclass(slots=True)
class Conversation:
    """With one model, at a time. `messages` are whole exchanges: a question and what came of its answer.

    An empty `system` leaves the model its own.
    """

    model: str
    think: bool | int | str | None = None
    keep_alive: str | None = None
    format: Any = None
    system: str = ""
    options: dict[str, object] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)

    def loading(self) -> ChatRequest:
        """The request that only loads the model, and is refused where an answer would be."""
        return ChatRequest(
            self.model,
            think=self.think,
            keep_alive=self.keep_alive,
            options=self.options,
        )

    def asking(self, question: Message) -> ChatRequest:
        """The request for an answer to what was said so far and this."""
        system = [Message("system", self.system)] if self.system else []
        return ChatRequest(
            self.model,
            think=self.think,
            keep_alive=self.keep_alive,
            format=self.format,
            options=self.options,
            messages=[*system, *self.messages, question],
        )

    def keep(self, question: Message, answer: str) -> None:
        """Remember an exchange."""
        self.messages += [question, Message("assistant", answer)]

    def undo(self) -> Message | None:
        """Forget the last exchange, and give back its question; None where there is none."""
        if not self.messages:
            return None
        question = self.messages[-2]
        del self.messages[-2:]
        return question

    @property
    def answer(self) -> str:
        """The last one, empty before the first."""
        return (self.messages[-1].content or "") if self.messages else ""

    def saving(self, name: str, behind: list[Message]) -> CreateRequest:
        """The request for a model that goes on from here; `behind` is the history that the model has already."""
        return CreateRequest(
            name,
            from_=self.model,
            system=self.system or None,
            parameters=self.options or None,
            messages=[*behind, *self.messages] or None,
        )

    def markdown(self) -> str:
        """All of it, as a document."""
        return "\n\n".join(self._sections()) + "\n"

    def _sections(self) -> Iterator[str]:
        yield f"# {self.model}"
        if self.system:
            yield f"## System\n\n{self.system}"
        for message in self.messages:
            yield f"## {message.role.capitalize()}\n\n{(message.content or '').strip()}"
