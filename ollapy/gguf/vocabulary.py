"""What llama.cpp takes for granted in a vocabulary: breaking it ends the process, or the answers' sense."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ollapy.errors import InvalidModel

from .arrays import Array, decode, strings
from .header import Header, Value
from .tables import PRE_TOKENIZERS

MAX_TOKENS = 1 << 20
MAX_TEMPLATE = 256 << 10
MAX_TEMPLATES = 64
# The special tokens that each tokenizer cannot do without, and their ids unless the file has others.
_NEEDED: dict[str, dict[str, int | None]] = {
    "llama": {"bos": 1, "eos": 2, "unknown": 0},
    "bert": {"bos": 101, "unknown": 100, "seperator": 102},  # the format's own spelling
    "gpt2": {"bos": 11, "eos": 11},
    "hybriddna": {"bos": 11, "eos": 11},
    "whitespace": {"bos": 11, "eos": 11},
    "gemma4": {"bos": None},
    "t5": {"eos": 1, "unknown": 2},
    "plamo2": {"bos": 1, "eos": 2, "unknown": 0},
    "rwkv": {},
}
_WITH_MERGES = ("gpt2", "hybriddna", "whitespace", "gemma4")
_DEEPSEEK = "<\uff5cfim\u2581{}\uff5c>"
# The marks of fill-in-the-middle, by the texts that llama.cpp knows them by, and those of Codestral.
_PREFIXES = (
    *("<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<PRE>", "▁<PRE>"),
    *(_DEEPSEEK.format("begin"), "<|code_prefix|>"),
)
_SUFFIXES = (
    *("<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<SUF>", "▁<SUF>"),
    *(_DEEPSEEK.format("hole"), "<|code_suffix|>"),
)
_MIDDLES = (
    *("<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<MID>", "▁<MID>"),
    *(_DEEPSEEK.format("end"), "<|code_middle|>"),
)
_INFILL = (_PREFIXES, _SUFFIXES, _MIDDLES), (("[PREFIX]",), ("[SUFFIX]",))
_BYTE_TYPE = 6
_BYTE = re.compile(rb"<0x[0-9A-F]{2}>")
_RWKV_CHARACTER = re.compile(rb"\\x[0-9a-f]{2}|\\.|.", re.DOTALL)


class _Vocabulary:
    """The `tokenizer.ggml` keys, their arrays still as they lie in `data`."""

    def __init__(self, raw: Mapping[str, Value], data: bytes) -> None:
        self._raw = raw
        self.data = data

    def get(self, name: str) -> Value | None:
        return self._raw.get(f"tokenizer.ggml.{name}")

    def array(
        self, name: str, types: Collection[str], at_least: int = 0
    ) -> Array | None:
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, Array) or value.type not in types:
            raise InvalidModel(
                f"tokenizer.ggml.{name} is not an array of {' or '.join(types)}"
            )
        if value.length < at_least:
            raise InvalidModel(
                f"tokenizer.ggml.{name} has {value.length} elements, fewer than the {at_least} tokens"
            )
        return value


def check_vocabulary(header: Header, raw: Mapping[str, Value], data: bytes) -> bool:
    """Checks `tokenizer.*`; whether the tokens have the marks of fill-in-the-middle among them.

    `raw` has every array as it lies in `data`.
    """
    _check_templates(raw)
    if not header.is_model:
        return False
    vocabulary = _Vocabulary(raw, data)
    tokenizer = vocabulary.get("model")
    if tokenizer in ("none", "no_vocab"):
        size = header.get("vocab_size")
        if size is not None and not (type(size) is int and 0 <= size <= MAX_TOKENS):
            raise InvalidModel(
                f"{header.architecture}.vocab_size is not between 0 and {MAX_TOKENS}"
            )
        return False
    if not isinstance(tokenizer, str) or tokenizer not in _NEEDED:
        raise InvalidModel(f"tokenizer.ggml.model is not one of {', '.join(_NEEDED)}")
    tokens = _tokens(vocabulary)
    _check_arrays(vocabulary, tokenizer, len(tokens))
    _check_special(vocabulary, tokenizer, len(tokens))
    _check_bytes(vocabulary, tokenizer, tokens)
    return any(
        all(any(text.encode() in tokens for text in texts) for texts in marks)
        for marks in _INFILL
    )


def _check_templates(raw: Mapping[str, Value]) -> None:
    templates = {
        key: value
        for key, value in raw.items()
        if re.fullmatch(r"tokenizer\.chat_template(\..+)?", key)
    }
    for key, value in templates.items():
        if not isinstance(value, str):
            raise InvalidModel(f"{key} is not a string")
        if len(value) > MAX_TEMPLATE:
            raise InvalidModel(
                f"{key} has {len(value)} characters, more than {MAX_TEMPLATE}"
            )
    if len(templates) > MAX_TEMPLATES:
        raise InvalidModel(
            f"tokenizer.chat_template has {len(templates)} variants, more than {MAX_TEMPLATES}"
        )


def _tokens(vocabulary: _Vocabulary) -> set[bytes]:
    """Every token once; as llama.cpp sees them, a token ends at a NUL and an empty one is renamed."""
    array = vocabulary.array("tokens", ["string"])
    if array is None or not 1 <= array.length <= MAX_TOKENS:
        raise InvalidModel(
            f"tokenizer.ggml.tokens does not have 1 to {MAX_TOKENS} tokens"
        )
    tokens: set[bytes] = set()
    for number, raw in enumerate(strings(vocabulary.data, array)):
        token = (
            raw.split(b"\0", 1)[0] if b"\0" in raw else raw
        ) or b"[EMPTY_%d]" % number
        if token in tokens:
            raise InvalidModel(
                f"tokenizer.ggml.tokens has the token {token.decode(errors='replace')[:40]!r} twice"
            )
        tokens.add(token)
    return tokens


def _check_arrays(vocabulary: _Vocabulary, tokenizer: str, num_tokens: int) -> None:
    vocabulary.array("scores", ["f32", "i32"], num_tokens)
    types = vocabulary.array("token_type", ["i32"], num_tokens)
    if tokenizer == "bert" and types and _BYTE_TYPE in decode(vocabulary.data, types):
        raise InvalidModel(
            "tokenizer.ggml.token_type has byte tokens, which a bert vocabulary cannot"
        )
    if tokenizer in _WITH_MERGES:
        _check_merges(vocabulary)
    charsmap = vocabulary.array("precompiled_charsmap", ["i8", "u8"])
    if tokenizer == "t5" and charsmap:
        start = vocabulary.data[charsmap.start : min(charsmap.start + 4, charsmap.stop)]
        if len(start) < 4 or int.from_bytes(start, "little") + 4 >= charsmap.length:
            raise InvalidModel(
                "tokenizer.ggml.precompiled_charsmap is shorter than it says"
            )


def _check_merges(vocabulary: _Vocabulary) -> None:
    pre = vocabulary.get("pre") or "default"
    if pre not in PRE_TOKENIZERS:
        raise InvalidModel(
            "tokenizer.ggml.pre is not a pre-tokenizer that llama.cpp knows"
        )
    if vocabulary.array("merges", ["string"]) is None and pre != "kimi-k2":
        raise InvalidModel("tokenizer.ggml.merges is missing")


def _check_special(vocabulary: _Vocabulary, tokenizer: str, num_tokens: int) -> None:
    """The ends of text and turn exist; so do those that the tokenizer inserts, given or by default."""
    for kind in ("bos", "eos", "eot", "eom"):
        token = vocabulary.get(f"{kind}_token_id")
        if token is not None and not _is_token(token, num_tokens):
            raise InvalidModel(
                f"tokenizer.ggml.{kind}_token_id is {token}, and there are {num_tokens} tokens"
            )
    added = {
        kind: None
        for kind in ("bos", "eos")
        if vocabulary.get(f"add_{kind}_token") is True
    }
    for kind, default in (added | _NEEDED[tokenizer]).items():
        # An id out of range is how converters write "none" for the others; llama.cpp takes its default then.
        if not any(
            _is_token(token, num_tokens)
            for token in (vocabulary.get(f"{kind}_token_id"), default)
        ):
            raise InvalidModel(
                f"tokenizer.ggml.{kind}_token_id is missing, and a {tokenizer} vocabulary needs it"
            )


def _is_token(value: Value | None, num_tokens: int) -> bool:
    return type(value) is int and 0 <= value < num_tokens


def _check_bytes(vocabulary: _Vocabulary, tokenizer: str, tokens: set[bytes]) -> None:
    """Any text can be put in tokens: where llama.cpp relies on it, it aborts or never ends otherwise."""
    if tokenizer in ("llama", "plamo2"):
        for byte in range(256):
            if b"<0x%02X>" % byte not in tokens and bytes([byte]) not in tokens:
                raise InvalidModel(
                    f"tokenizer.ggml.tokens has no token for the byte {byte}"
                )
    if tokenizer == "plamo2" and any(
        token[:3] == b"<0x" and not _BYTE.fullmatch(token) for token in tokens
    ):
        raise InvalidModel(
            "tokenizer.ggml.tokens has a byte token that is not <0x00> to <0xFF>"
        )
    if tokenizer == "rwkv":
        starts = {
            match[0] for token in tokens if (match := _RWKV_CHARACTER.match(token))
        }
        for start in starts:
            if tokens.isdisjoint({start, start[-1:], b"\\x%02x" % start[0]}):
                raise InvalidModel(
                    f"tokenizer.ggml.tokens has no token for {start.decode(errors='replace')!r} alone"
                )
