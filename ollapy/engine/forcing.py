"""Forced text: what a constraint leaves no choice about is written down and computed at once, not sampled token by token.

Known as jump-forward decoding (Zheng et al., SGLang, arXiv 2312.07104) and as fast-forward tokens (llguidance).
"""

from __future__ import annotations

from ollapy.grammar.constraint import Constraint
from ollapy.llama.vocabulary import Vocabulary

# Some vocabularies put a space before a text; not before one that follows this.
_BEFORE = "\n"


def forced_tokens(
    constraint: Constraint, vocabulary: Vocabulary, most: int
) -> list[int]:
    """Tokens that must come next, `most` at most, as the model would write their text by itself.

    The last of the text is not among them: it may be one token with what follows.
    """
    text = _whole_characters(constraint.forced)
    if len(text) < 2 or most < 1:
        return []
    before = vocabulary.tokenize(_BEFORE, special=False, begins=False)
    tokens = vocabulary.tokenize(_BEFORE + text, special=False, begins=False)
    is_spelled = b"".join(map(vocabulary.piece, tokens)).endswith(
        (_BEFORE + text).encode()
    )
    if not is_spelled or tokens[: len(before)] != before:
        return []
    forced = tokens[len(before) :]
    # spelled in bytes: the tokenizer has not the words that the model would write
    is_known = len(forced) < len(text.encode())
    return forced[:-1][:most] if is_known else []


def _whole_characters(data: bytes) -> str:
    """The text that bytes begin with; other bytes are half a character, or a control token's."""
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        return data[: exc.start].decode()
