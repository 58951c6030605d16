"""tokenizer.model: SentencePiece's pieces, read out of its protocol buffer within bounds.

A message is fields, each a number and a value: key = number << 3 | type, with the types varint, 64 bits,
bytes with their length, and 32 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ollapy.errors import InvalidModel, Unsupported
from ollapy.gguf.vocabulary import MAX_TOKENS

from .vocabulary import Kind, Vocabulary

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3  # fields of the model
_PIECE, _SCORE, _KIND = 1, 2, 3  # fields of a piece
_MODEL_TYPE = 3  # a field of the trainer
_CHARSMAP, _DUMMY_PREFIX = 2, 3  # fields of the normalizer
_BPE = 2

Field = tuple[int, int | bytes]


def read_pieces(data: bytes) -> Vocabulary:
    """The vocabulary of a tokenizer.model that was trained as BPE."""
    try:
        fields = list(_fields(data))
        pieces = [_piece(value) for number, value in fields if number == _PIECES]
    except (IndexError, ValueError, struct.error) as exc:
        raise InvalidModel("tokenizer.model is not a SentencePiece model") from exc
    if not 1 <= len(pieces) <= MAX_TOKENS:
        raise InvalidModel(f"tokenizer.model has {len(pieces)} pieces")
    if _part(fields, _TRAINER).get(_MODEL_TYPE, 1) != _BPE:
        raise Unsupported("tokenizer.model is no BPE, which is not supported here")
    normalizer = _part(fields, _NORMALIZER)
    vocabulary = Vocabulary(
        model="llama",
        pre="default",
        tokens=[text for text, _, _ in pieces],
        kinds=[kind for _, _, kind in pieces],
        scores=[score for _, score, _ in pieces],
        add_space_prefix=bool(normalizer.get(_DUMMY_PREFIX, 1)),
    )
    if normalizer.get(_CHARSMAP):
        vocabulary.warnings.append("the text is not normalised before it is tokenised")
    return vocabulary


def is_pieces(data: bytes) -> bool:
    """Whether it looks like one: Llama 3 calls a file of another kind the same."""
    try:
        number, value = next(_fields(data))
        return number == _PIECES and isinstance(value, bytes)
    except (IndexError, ValueError, StopIteration):
        return False


def _fields(data: bytes) -> Iterator[Field]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        else:
            length = {_FIXED64: 8, _FIXED32: 4}[kind] if kind in (1, 5) else len(data)
        if at + length > len(data):
            raise ValueError("a field goes beyond the end")
        yield key >> 3, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number has no end")


def _part(fields: list[Field], number: int) -> dict[int, int | bytes]:
    """The fields of the sub-message; empty where it is missing."""
    found = [value for n, value in fields if n == number and isinstance(value, bytes)]
    try:
        return dict(_fields(found[-1])) if found else {}
    except (IndexError, ValueError) as exc:
        raise InvalidModel("tokenizer.model is damaged") from exc


def _piece(data: int | bytes) -> tuple[str, float, Kind]:
    if isinstance(data, int):
        raise ValueError("a piece is a number")
    fields = dict(_fields(data))
    text, score = fields.get(_PIECE, b""), fields.get(_SCORE, bytes(4))
    if isinstance(text, int) or isinstance(score, int):
        raise ValueError("a piece has no text")
    kind = Kind(
        int.from_bytes(k) if isinstance(k := fields.get(_KIND, 1), bytes) else k
    )
    shown = text.decode()
    if kind is Kind.USER_DEFINED:  # llama.cpp looks for it before it writes spaces so
        shown = shown.replace("▁", " ")
    return shown, struct.unpack("<f", score)[0], kind
