"""The two ways of asking for the same thing: Ollama's API, which ollapy speaks, and OpenAI's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from .wire import Failed, post

Message = dict[str, str]
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """What one line of an answer says. The counts are the whole answer's: of its vectors where it is made of those."""

    text: str = ""
    is_last: bool = False
    num_tokens: int = 0
    num_prompt: int = 0


class Dialect(Protocol):
    """Requests as bytes, greedy and streamed, and the lines that come back."""

    def complete(self, prompt: str, num_tokens: int) -> bytes:
        """Go on with a text, without a template."""
        ...

    def chat(self, messages: list[Message], num_tokens: int) -> bytes:
        """Answer a conversation, without thinking."""
        ...

    def embed(self, texts: list[str]) -> bytes:
        """One vector for each text."""
        ...

    def read(self, line: bytes) -> Piece | None:
        """What a line says; None where it says nothing, Failed where it is an error."""
        ...


@dataclass(frozen=True, slots=True)
class Ollama:
    """The API of Ollama and ollapy. It cannot ignore the end of an answer; random words rarely have one."""

    model: str

    def complete(self, prompt: str, num_tokens: int) -> bytes:
        return self._generation(
            "/api/generate", num_tokens, {"prompt": prompt, "raw": True}
        )

    def chat(self, messages: list[Message], num_tokens: int) -> bytes:
        fields: Fields = {"messages": messages, "think": False}
        return self._generation("/api/chat", num_tokens, fields)

    def embed(self, texts: list[str]) -> bytes:
        return post("/api/embed", {"model": self.model, "input": texts})

    def read(self, line: bytes) -> Piece | None:
        if not line.strip():
            return None
        record = json.loads(line)
        if "error" in record:
            raise Failed(str(record["error"]))
        said = record.get("message", record)
        return Piece(
            (said.get("thinking") or "")
            + (said.get("content") or said.get("response") or ""),
            is_last=record.get("done", "embeddings" in record),
            num_tokens=record.get("eval_count") or len(record.get("embeddings", ())),
            num_prompt=record.get("prompt_eval_count", 0),
        )

    def _generation(self, path: str, num_tokens: int, fields: Fields) -> bytes:
        options = {"temperature": 0, "num_predict": num_tokens}
        return post(path, {"model": self.model, "options": options, **fields})


@dataclass(frozen=True, slots=True)
class OpenAI:
    """The API of OpenAI, with the fields that servers of open models add and others ignore."""

    model: str

    def complete(self, prompt: str, num_tokens: int) -> bytes:
        return self._generation("/v1/completions", num_tokens, {"prompt": prompt})

    def chat(self, messages: list[Message], num_tokens: int) -> bytes:
        fields: Fields = {
            "messages": messages,
            "chat_template_kwargs": {"enable_thinking": False},
        }
        return self._generation("/v1/chat/completions", num_tokens, fields)

    def embed(self, texts: list[str]) -> bytes:
        return post("/v1/embeddings", {"model": self.model, "input": texts})

    def read(self, line: bytes) -> Piece | None:
        text = line.strip().removeprefix(b"data:").strip()
        if text == b"[DONE]":
            return Piece(is_last=True)
        if not text or text[:1] != b"{":  # comments and other fields of an event
            return None
        event = json.loads(text)
        if "error" in event:
            raise Failed(str(event["error"]))
        usage = event.get("usage") or {}
        choices = event.get("choices", ())
        vectors = event["data"] if event.get("object") == "list" else []
        return Piece(
            "".join(map(_said, choices)),
            is_last=bool(vectors) or any(c.get("finish_reason") for c in choices),
            num_tokens=usage.get("completion_tokens", 0) or len(vectors),
            num_prompt=usage.get("prompt_tokens", 0),
        )

    def _generation(self, path: str, num_tokens: int, fields: Fields) -> bytes:
        settings: Fields = {
            "model": self.model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0,
            "max_tokens": num_tokens,
            "ignore_eos": True,
        }
        return post(path, {**settings, **fields})


def _said(choice: Fields) -> str:
    delta = choice.get("delta") or {}
    text = choice.get("text") or delta.get("content") or ""
    return (delta.get("reasoning_content") or "") + text
