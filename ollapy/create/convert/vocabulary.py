"""Vocabulary: the tokens of a model by id, as GGUF keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from ollapy.errors import InvalidModel
from ollapy.gguf.vocabulary import MAX_TOKENS
from ollapy.text import clean

from .metadata import Value

_LEAST = -1e9  # the score of what is never made by merging
_CONTROLS = ("<pad>", "<mask>", "<2mass>", "[@BOS@]")
_BRACKETS = (("<|", "|>"), ("<\uff5c", "\uff5c>"), ("<unused", ">"))


class Kind(IntEnum):
    """What a token is for. The numbers are GGUF's, and SentencePiece's."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True, slots=True)
class Added:
    """A token that was added to a tokenizer: found in a text before all others."""

    id: int
    text: str
    special: bool


@dataclass(slots=True)
class Vocabulary:
    """Tokens with their kinds; SentencePiece's have scores, byte-level ones merges."""

    model: str
    pre: str
    tokens: list[str]
    kinds: list[Kind]
    scores: list[float] = field(default_factory=list)
    merges: list[str] = field(default_factory=list)
    add_space_prefix: bool | None = None
    warnings: list[str] = field(default_factory=list)

    def add(self, added: Iterable[Added]) -> None:
        """Put in the added tokens, at their ids."""
        for token in added:
            # an id that is far outside is met again where the sizes are compared
            if not 0 <= token.id < MAX_TOKENS:
                raise InvalidModel(f"an added token has the id {token.id}")
            self._grow(token.id + 1)
            if self.kinds[token.id] not in (Kind.UNKNOWN, Kind.BYTE):
                self.tokens[token.id] = self._text(token)
                self.kinds[token.id] = _kind(token)

    def _text(self, token: Added) -> str:
        """llama.cpp looks for it in the text as it is, with spaces that are none of SentencePiece's."""
        if self.model == "llama" and _kind(token) is Kind.USER_DEFINED:
            return token.text.replace("▁", " ")
        return token.text

    def fit(self, size: int) -> None:
        """Have as many tokens as the model has rows, which is rounded up in some."""
        beyond = self.tokens[size:]
        if any(kind is not Kind.UNUSED for kind in self.kinds[size:]):
            if len(beyond) > 64:
                raise InvalidModel(
                    f"the tokenizer has {len(self.tokens)} tokens, and by config.json there are {size}"
                )
            names = ", ".join(clean(text[:40]) for text in beyond[:3])
            self.warnings.append(
                f"tokens that the model has no row for are left out: {names}"
            )
        del self.tokens[size:], self.kinds[size:], self.scores[size:]
        self._grow(size)

    def _grow(self, size: int) -> None:
        start = len(self.tokens)
        self.tokens += [f"[PAD{number}]" for number in range(start, size)]
        self.kinds += [Kind.UNUSED] * (size - start)
        if self.model == "llama":
            self.scores += [_LEAST] * (size - start)

    def metadata(self) -> dict[str, Value]:
        """The keys of the tokens themselves."""
        keys: dict[str, Value] = {
            "tokenizer.ggml.model": self.model,
            "tokenizer.ggml.pre": self.pre,
            "tokenizer.ggml.tokens": self.tokens,
            "tokenizer.ggml.token_type": [int(kind) for kind in self.kinds],
        }
        if self.model == "llama":
            keys["tokenizer.ggml.scores"] = self.scores
        else:
            keys["tokenizer.ggml.merges"] = self.merges
        if self.add_space_prefix is not None:
            keys["tokenizer.ggml.add_space_prefix"] = self.add_space_prefix
        return keys


def _kind(token: Added) -> Kind:
    """Some models do not mark as special what no user should be able to write."""
    looks_special = token.text in _CONTROLS or any(
        token.text.startswith(start) and token.text.endswith(end)
        for start, end in _BRACKETS
    )
    return Kind.CONTROL if token.special or looks_special else Kind.USER_DEFINED


def from_ids(ids: dict[str, int]) -> list[str]:
    """Texts by id; where there are gaps, the names of unused tokens."""
    size = max(ids.values(), default=-1) + 1
    if min(ids.values(), default=0) < 0 or size > MAX_TOKENS:
        raise InvalidModel("tokenizer.json has token ids out of range")
    texts = [f"[PAD{number}]" for number in range(size)]
    for text, number in ids.items():
        texts[number] = text
    return texts
