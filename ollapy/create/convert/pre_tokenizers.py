"""Pre-tokenizers: how a text is split before merging, recognised by llama.cpp's names for it.

A name is given only where llama.cpp splits with the same expressions, one after the other. Any other
tokenizer is refused: a model with the wrong one answers, and worse than it could.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ollapy.errors import Unsupported

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = (
    _CONTRACTIONS
    + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    + _SPACES
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASED = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+%s"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*%s"
)
_SLASHED = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + _SPACES
_TEKKEN = _CASED % ("", "") + r"|\p{N}" + _SLASHED
_GPT4O = _CASED % (f"{_CONTRACTIONS}?", f"{_CONTRACTIONS}?") + r"|\p{N}{1,3}" + _SLASHED
_WORDS, _DIGITS = "words of GPT-2", "single digits"

_NAMES: dict[tuple[str, ...], str] = {
    (_LLAMA3,): "smaug-bpe",
    (_QWEN2,): "qwen2",
    (_TEKKEN,): "tekken",
    (_GPT4O,): "gpt-4o",
    (_WORDS,): "gpt-2",
    (_DIGITS, _WORDS): "smollm",
}


def name_of(pre_tokenizer: dict[str, Any] | None, *, ignores_merges: bool) -> str:
    """llama.cpp's name; Unsupported where it has none.

    Llama 3 takes a whole word that is a token as it is, whatever merges there are.
    """
    splits = tuple(_splits(pre_tokenizer or {}))
    if splits not in _NAMES:
        raise Unsupported(
            "tokenizer.json splits text in a way that is not known here, so the model would get wrong tokens"
        )
    name = _NAMES[splits]
    return "llama-bpe" if name == "smaug-bpe" and ignores_merges else name


def _splits(step: dict[str, Any]) -> Iterator[str]:
    match step:
        case {"type": "Sequence", "pretokenizers": list(steps)}:
            for inner in steps:
                yield from _splits(inner)
        case {"type": "Split", "pattern": {"Regex": str(expression)}} if _isolates(
            step
        ):
            yield expression
        case {"type": "Digits", "individual_digits": True}:
            yield _DIGITS
        # a space before the first word is something that llama.cpp adds to no such text
        case {"type": "ByteLevel"} if not step.get("add_prefix_space"):
            if step.get("use_regex", True):
                yield _WORDS
        case _:
            yield f"unknown: {step}"


def _isolates(step: dict[str, Any]) -> bool:
    """Whether the matches become pieces, as do the texts between them (the expressions leave none)."""
    way = (step.get("behavior"), bool(step.get("invert")))
    return way in (("Isolated", False), ("Removed", True))
