"""Small tokenizers in Hugging Face's and SentencePiece's files, whose merges show where a text was split."""

from __future__ import annotations

import struct
from itertools import product
from typing import Any

from scripts.make_gguf.vocabulary import spell

Table = dict[str, Any]

SPECIALS = ("<unk>", "<|begin|>", "<|end|>")
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|"
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_SIGNS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|"
_CASED = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|"
)


def _split(expression: str) -> list[Table]:
    return [
        {
            "type": "Split",
            "pattern": {"Regex": expression},
            "behavior": "Isolated",
            "invert": False,
        },
        {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": False,
        },
    ]


_GPT2: Table = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": True,
}
# As the models' own files write them, by llama.cpp's names.
PRE_TOKENIZERS: dict[str, list[Table]] = {
    "llama-bpe": _split(_CONTRACTIONS + _WORDS + r"\p{N}{1,3}" + _SIGNS + _SPACES),
    "qwen2": _split(_CONTRACTIONS + _WORDS + r"\p{N}" + _SIGNS + _SPACES),
    "tekken": _split(
        _CASED + r"\p{N}" + _SIGNS.replace(r"\r\n]*", r"\r\n/]*") + _SPACES
    ),
    "gpt-2": [_GPT2],
    "smollm": [{"type": "Digits", "individual_digits": True}, _GPT2],
}
_IGNORING_MERGES = ("llama-bpe", "tekken")
_LETTERS = spell("aAsé1'./\n \t".encode())
_BYTE_MERGES = [*product(_LETTERS, _LETTERS), ("11", "1"), ("aa", "a"), ("ĠĠ", "ĠĠ")]


def byte_tokenizer(name: str = "qwen2") -> Table:
    """A byte-level tokenizer.json: 256 bytes, three special tokens, and merges of whatever stands together."""
    tokens = [*spell(bytes(range(256))), *SPECIALS]
    tokens += ["".join(merge) for merge in _BYTE_MERGES]
    return {
        "added_tokens": _added(tokens),
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": PRE_TOKENIZERS[name]},
        "model": {
            "type": "BPE",
            "ignore_merges": name in _IGNORING_MERGES,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [list(merge) for merge in _BYTE_MERGES],
        },
    }


_PIECES = ("▁", *"abcdeé.1\n")
_PIECE_MERGES = [
    *product("▁abcd", "abcde"),
    ("ab", "c"),
    ("▁a", "bc"),
    ("bc", "de"),
    ("▁", "▁"),
    ("▁▁", "▁▁"),
    ("1", "1"),
]
_PIECE_CONTROLS = ("<unk>", "<s>", "</s>")


def _piece_tokens() -> list[str]:
    tokens = [*_PIECE_CONTROLS, *(f"<0x{byte:02X}>" for byte in range(256))]
    return [*tokens, *("".join(merge) for merge in _PIECE_MERGES), *_PIECES]


def piece_tokenizer(*, prefix: bool = True) -> Table:
    """A tokenizer.json that came from SentencePiece, as Llama 2 (with a space before a text) and Gemma have."""
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    prepend = {"type": "Prepend", "prepend": "▁"}
    tokens = _piece_tokens()
    return {
        "added_tokens": [
            {"id": number, "content": token, "special": True}
            for number, token in enumerate(_PIECE_CONTROLS)
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [prepend, replace] if prefix else [replace],
        },
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [" ".join(merge) for merge in _PIECE_MERGES],
        },
    }


def pieces_file(*, prefix: bool = True) -> bytes:
    """The same vocabulary as a tokenizer.model."""
    kinds = {"<unk>": 2, "<s>": 3, "</s>": 3}
    data = b""
    for number, token in enumerate(_piece_tokens()):
        kind = kinds.get(token) or (6 if token.startswith("<0x") else 1)
        score = float(-number) if kind == 1 else 0.0
        piece = _field(1, token.encode()) + b"\x15" + struct.pack("<f", score)
        data += _field(1, piece + bytes([0x18, kind]))
    trainer, normalizer = bytes([0x18, 2]), bytes([0x18, prefix])
    return data + _field(2, trainer) + _field(3, normalizer)


def _field(number: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + length + content


def _added(tokens: list[str]) -> list[Table]:
    return [
        {"id": tokens.index(token), "content": token, "special": True}
        for token in SPECIALS
    ]
