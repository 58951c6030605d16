"""tokenizer.json: the vocabularies of the `tokenizers` library that llama.cpp has a counterpart for.

Byte-level ones become GGUF's "gpt2", with merges. Those that came from SentencePiece (spaces as ▁, bytes
as <0x..>) become its "llama", which merges by score: a piece's is the place of its first merge.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ollapy.errors import InvalidModel, Unsupported

from .pre_tokenizers import name_of
from .vocabulary import Added, Kind, Vocabulary, from_ids

_UNMADE = -1e9  # the score of what no merge makes


class _Model(msgspec.Struct, frozen=True):
    vocab: dict[str, int] | list[Any]
    merges: list[str | tuple[str, str]] = []
    type: str = "BPE"
    byte_fallback: bool | None = False
    ignore_merges: bool | None = False
    unk_token: str | None = None
    continuing_subword_prefix: str | None = None
    end_of_word_suffix: str | None = None


class _Added(msgspec.Struct, frozen=True):
    id: int
    content: str
    special: bool = False


class TokenizerJson(msgspec.Struct, frozen=True):
    """The parts of the file that matter here."""

    model: _Model
    added_tokens: list[_Added] = []
    normalizer: dict[str, Any] | None = None
    pre_tokenizer: dict[str, Any] | None = None
    post_processor: dict[str, Any] | None = None

    @property
    def added(self) -> list[Added]:
        return [Added(t.id, t.content, t.special) for t in self.added_tokens]


def read_vocabulary(tokenizer: TokenizerJson) -> Vocabulary:
    """The vocabulary without its added tokens."""
    model = tokenizer.model
    if model.type != "BPE" or not isinstance(model.vocab, dict):
        raise Unsupported("tokenizer.json is no BPE, which is not supported here")
    if model.continuing_subword_prefix or model.end_of_word_suffix:
        raise Unsupported("tokenizer.json marks parts of words, which is not supported")
    if model.byte_fallback:
        return _by_score(tokenizer, model.vocab)
    return _byte_level(tokenizer, model.vocab)


def _byte_level(tokenizer: TokenizerJson, ids: dict[str, int]) -> Vocabulary:
    if tokenizer.normalizer not in (None, {"type": "NFC"}):
        raise Unsupported("tokenizer.json changes the text, which is not supported")
    ignores = bool(tokenizer.model.ignore_merges)
    tokens = from_ids(ids)
    return Vocabulary(
        model="gpt2",
        pre=name_of(tokenizer.pre_tokenizer, ignores_merges=ignores),
        tokens=tokens,
        kinds=_kinds(tokens, ids),
        merges=[f"{left} {right}" for left, right in _merges(tokenizer.model)],
    )


def _by_score(tokenizer: TokenizerJson, ids: dict[str, int]) -> Vocabulary:
    tokens = from_ids(ids)
    ranks: dict[str, int] = {}
    for rank, (left, right) in enumerate(_merges(tokenizer.model)):
        ranks.setdefault(left + right, rank)
    kinds = _kinds(tokens, ids)
    for number, text in enumerate(tokens):
        if text.startswith("<0x") and len(text) == 6 and text.endswith(">"):
            kinds[number] = Kind.BYTE
        elif text == tokenizer.model.unk_token:
            kinds[number] = Kind.UNKNOWN
    return Vocabulary(
        model="llama",
        pre="default",
        tokens=tokens,
        kinds=kinds,
        scores=[-float(ranks[t]) if t in ranks else _UNMADE for t in tokens],
        add_space_prefix=_adds_space(tokenizer),
    )


def _merges(model: _Model) -> list[tuple[str, str]]:
    """Pairs; older files write them with a space between."""
    pairs = []
    for merge in model.merges:
        parts = tuple(merge.split(" ")) if isinstance(merge, str) else merge
        if len(parts) != 2 or any(" " in part or not part for part in parts):
            raise InvalidModel("a merge of tokenizer.json is not of two tokens")
        pairs.append((parts[0], parts[1]))
    return pairs


def _kinds(tokens: list[str], ids: dict[str, int]) -> list[Kind]:
    return [Kind.NORMAL if text in ids else Kind.UNUSED for text in tokens]


def _adds_space(tokenizer: TokenizerJson) -> bool:
    """Whether a text gets a space before it. It may be written in the one or the other place."""
    prepends = False
    for step in _steps(tokenizer.normalizer, "normalizers"):
        match step:
            case {"type": "Prepend", "prepend": "▁"}:
                prepends = True
            case {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}:
                pass
            case _:
                raise Unsupported(
                    "tokenizer.json changes the text, which is not supported"
                )
    for step in _steps(tokenizer.pre_tokenizer, "pretokenizers"):
        match step:
            case {"type": "Metaspace", "replacement": "▁"} if (
                step.get("split") is False
            ):
                scheme = step.get("prepend_scheme", "always")
                prepends |= scheme != "never" and step.get("add_prefix_space", True)
            # after the normalizer there is no space left to split at
            case {"type": "Split", "pattern": {"String": " "}}:
                pass
            case _:
                raise Unsupported(
                    "tokenizer.json splits text in a way that is not known here"
                )
    return prepends


def _steps(step: dict[str, Any] | None, key: str) -> list[Any]:
    if step is None:
        return []
    inner = step.get(key)
    return (
        inner if step.get("type") == "Sequence" and isinstance(inner, list) else [step]
    )
