"""Foreign: control tokens spelled out in what users and tools say, which stay text and control nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from ollapy.api.ollama import Message

_ROLES = ("user", "tool")
# Not characters (Unicode keeps them for use inside a program): a masked text is between two of them.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_MASK = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")


class Vocabulary(Protocol):
    """A model's tokenizer."""

    def tokenize(
        self, text: str, *, special: bool = True, begins: bool = True
    ) -> list[int]:
        """Token ids; `special` reads control tokens in the text, `begins` puts the BOS before it."""

    def control_texts(self, tokens: Iterable[int]) -> set[str]:
        """The texts of the control tokens among these."""


class Foreign:
    """What of the prompt's control tokens stands in the words of users and tools; false where nothing does."""

    def __init__(self, controls: set[str], messages: list[Message]) -> None:
        said = [m.content or "" for m in messages if m.role in _ROLES]
        found = (c for c in controls if any(c in text for text in said))
        # the longer first: one may be part of another
        self._texts = sorted(found, key=lambda text: (-len(text), text))
        self._messages = messages

    def __bool__(self) -> bool:
        return bool(self._texts)

    @property
    def masked(self) -> list[Message]:
        """The messages with marks in place of those texts."""
        return [
            msgspec.structs.replace(m, content=self._mask(m.content or ""))
            if m.role in _ROLES
            else m
            for m in self._messages
        ]

    def tokenize(self, text: str, vocabulary: Vocabulary) -> list[int]:
        """A prompt that was made of masked messages: the template's control tokens, and text between them."""
        controls = vocabulary.control_texts(vocabulary.tokenize(text))
        parts = re.split(_any_of(controls), text) if controls else [text]
        tokens = vocabulary.tokenize("")
        for i, part in enumerate(parts):
            is_control = i % 2 == 1
            tokens += vocabulary.tokenize(
                part if is_control else self._unmask(part),
                special=is_control,
                begins=False,
            )
        return tokens

    def _mask(self, text: str) -> str:
        for i, found in enumerate(self._texts):
            text = text.replace(found, f"{_OPEN}{i}{_CLOSE}")
        return text

    def _unmask(self, text: str) -> str:
        known = {str(i): found for i, found in enumerate(self._texts)}
        return _MASK.sub(lambda found: known.get(found[1], found[0]), text)


def tokenized(
    text: str,
    messages: list[Message],
    render: Callable[[list[Message]], str],
    vocabulary: Vocabulary,
) -> list[int]:
    """The tokens of a text that `render` has made of messages; it makes another of them where something is foreign."""
    tokens = vocabulary.tokenize(text)
    foreign = Foreign(vocabulary.control_texts(tokens), messages)
    return foreign.tokenize(render(foreign.masked), vocabulary) if foreign else tokens


def _any_of(texts: Iterable[str]) -> str:
    return f"({'|'.join(map(re.escape, sorted(texts, key=len, reverse=True)))})"
