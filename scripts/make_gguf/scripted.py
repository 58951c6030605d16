"""Models that say a known script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from .decoders import add_attention, llama_block, model_sizes
from .file import open_writer, write_tensors
from .templates import CHATML, THINKING_CHATML
from .tensors import Matrix, Shape, neutral_tensors
from .vocabulary import (
    END_OF_TURN,
    PROMPT_TOKENS,
    ChatTemplates,
    add_byte_vocabulary,
    spell,
)

SCRIPTED_WIDTH = 256  # thousands of random codes of this width stay far apart
MIN_GAP = 60.0  # in logits: certain by this much is certain at any temperature


def write_scripted(
    path: Path,
    text: str,
    *,
    thinking: str = "",
    endless: bool = False,
    chat_template: ChatTemplates | None = None,
    context_length: int = 4096,
    controls: Sequence[str] = (),
) -> None:
    """A llama that says `text` and ends its turn, whatever its prompt and sampling.

    With `endless` it starts again from the beginning instead. Where the script has one of `controls`, once, it is
    a control token.
    The template is ChatML if none is given; an empty one stays out of the file, and there may be named ones.

    Each token has one successor: whatever a prompt can end in leads to the script's
    first piece, each piece to the next, the last one to the end of the turn.
    Each token also has a random code. The embedding of a token is its successor's
    code, its output row is its own, and the layer between adds nothing.
    """
    script = f"<think>\n{thinking}\n</think>\n\n{text}" if thinking else text
    if chat_template is None:
        chat_template = THINKING_CHATML if thinking else CHATML
    pieces = list(_cut_around(controls, script))
    tokens = [*PROMPT_TOKENS, *map(spell, pieces)]
    shape = Shape(
        vocab=len(tokens),
        context=context_length,
        width=SCRIPTED_WIDTH,
        layers=1,
        heads=4,
        kv_heads=1,
        ffn=32,
    )
    codes = _distinct_codes(len(tokens))
    sizes = model_sizes(shape, [llama_block(shape)], is_tied=False)
    tensors = neutral_tensors(sizes)
    tensors["token_embd.weight"] = codes[_successors(len(pieces), endless=endless)]
    tensors["output.weight"] = codes

    writer = open_writer(path, "llama", shape)
    add_attention(writer, shape)
    add_byte_vocabulary(writer, tokens, chat_template, controls=controls)
    write_tensors(writer, sizes, tensors.values())


def _cut_around(controls: Sequence[str], script: str) -> Iterator[bytes]:
    """The script's pieces, its control tokens whole."""
    seen: set[bytes] = set()
    parts = re.split(f"({'|'.join(map(re.escape, controls))})", script)
    for part in filter(None, parts if controls else [script]):
        pieces = [part.encode()] if part in controls else cut(part.encode(), seen)
        yield from pieces
        seen.update(pieces)


def cut(script: bytes, known: Iterable[bytes] = ()) -> list[bytes]:
    """Cut a script into pieces that all differ, from the `known` ones too, and are longer than a byte.

    As in LZ78: each is the shortest start of the rest that was not a piece before.
    Characters of several bytes may be cut apart, as they are by real tokenizers.
    """
    pieces: list[bytes] = []
    seen = {*known, *(bytes([byte]) for byte in range(256))}
    start = 0
    for end in range(1, len(script) + 1):
        piece = script[start:end]
        if piece not in seen:
            seen.add(piece)
            pieces.append(piece)
            start = end
    if rest := script[start:]:
        if not pieces:
            raise ValueError("a script of one byte cannot be told from a prompt")
        pieces[-1] += rest  # still unique: no other piece starts with the last one
    return pieces


def _successors(num_pieces: int, *, endless: bool) -> list[int]:
    """The token that follows each token of a script's vocabulary."""
    first = len(PROMPT_TOKENS)
    chain = [*range(first, first + num_pieces), END_OF_TURN]
    if endless:
        chain[-1] = chain[0]
    return [chain[0]] * first + chain[1:]


def _distinct_codes(count: int) -> Matrix:
    """Rows of ±1, as far apart as chance makes them."""
    bits = np.random.default_rng(0).integers(0, 2, (count, SCRIPTED_WIDTH))
    codes = (2 * bits - 1).astype(np.float32)
    likeness = codes @ codes.T
    np.fill_diagonal(likeness, 0)
    assert SCRIPTED_WIDTH - likeness.max() >= MIN_GAP
    return codes
