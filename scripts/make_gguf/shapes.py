"""Models of a real one's shape and random weights: they compute as it does, and say nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ollapy.llama.quantize import quantize

from .decoders import add_attention, llama_block, model_sizes, qwen_block
from .file import open_writer, write_tensors
from .tensors import Matrix, Shape, Sizes, random_tensors
from .words import Vocabulary, made_up_vocabulary, vocabulary_of

# Of logits: what is never said has 0, so that any sampling leaves it out.
_LOGITS_DEVIATION = 4
_MARK = re.compile(r"<.+>|\[.+\]")
_SPACES = str.maketrans("Ġ▁", "  ")


@dataclass(frozen=True)
class RealShape:
    architecture: str
    shape: Shape
    block: Callable[[Shape], Sizes]
    rope_base: float

    @property
    def sizes(self) -> Sizes:
        return model_sizes(self.shape, [self.block(self.shape)] * self.shape.layers)


REAL_SHAPES: Mapping[str, RealShape] = {
    "0.5b": RealShape(
        "qwen2",
        Shape(
            vocab=151936,
            context=32768,
            width=896,
            layers=24,
            heads=14,
            kv_heads=2,
            ffn=4864,
        ),
        qwen_block,
        rope_base=1e6,
    ),
    "1b": RealShape(
        "llama",
        Shape(
            vocab=128256,
            context=32768,
            width=2048,
            layers=16,
            heads=32,
            kv_heads=8,
            ffn=8192,
        ),
        llama_block,
        rope_base=5e5,
    ),
}


def write_shape(
    path: Path,
    *,
    shape: str = "0.5b",
    file_type: str = "Q4_K_M",
    vocabulary: Path | None = None,
    layers: int | None = None,
    vocab: int | None = None,
    seed: int = 0,
) -> None:
    """A model that takes the time and memory of a real one; its answers never end.

    Its words are made up, or those of the model file `vocabulary`.
    `layers` and `vocab` make it smaller than the real one.
    """
    real = REAL_SHAPES[shape]
    words = (
        vocabulary_of(vocabulary)
        if vocabulary
        else made_up_vocabulary(vocab or real.shape.vocab)
    )
    layers = layers or real.shape.layers
    real = replace(
        real, shape=replace(real.shape, layers=layers, vocab=len(words.tokens))
    )
    with TemporaryDirectory(dir=path.parent) as folder:
        full = Path(folder) / "f16.gguf"
        _write_full(full, real, words, seed)
        quantize([full], path, file_type)


def _write_full(path: Path, real: RealShape, words: Vocabulary, seed: int) -> None:
    writer = open_writer(path, real.architecture, real.shape)
    add_attention(writer, real.shape)
    writer.add_rope_freq_base(real.rope_base)
    words.add_to(writer)
    write_tensors(writer, real.sizes, _tensors(real.sizes, words.tokens, seed))


def _tensors(sizes: Sizes, tokens: list[str], seed: int) -> Iterator[Matrix]:
    """Random ones; the embeddings, which are the output matrix too, know what to say."""
    for name, tensor in zip(sizes, random_tensors(sizes, seed), strict=True):
        if name == "token_embd.weight":
            tensor *= _LOGITS_DEVIATION
            tensor[[not _is_said(token) for token in tokens]] = 0
        elif name == "output_norm.weight":
            tensor[::2] = -1  # or a token's own embedding would lead to it again
        yield tensor


def _is_said(token: str) -> bool:
    """Whether a token is printable ASCII, and no mark such as <|im_end|> or [PAD]."""
    text = token.translate(_SPACES)
    is_mark = _MARK.fullmatch(text)
    return text.isascii() and text.isprintable() and not is_mark
