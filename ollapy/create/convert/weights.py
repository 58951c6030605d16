"""Weights: which tensors a GGUF gets, of which tensors of the Hugging Face model, and what is done to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod

from ollapy.errors import InvalidModel, Unsupported
from ollapy.text import clean

from .safetensors import DTYPES, Stored

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A tensor of the GGUF: its sources one after the other, each of the shape `each`.

    `heads` are those whose rows change places: Hugging Face turns the first half of a head against the
    second, and llama.cpp's llama turns neighbours. `shift` is added to every element.
    """

    name: str
    sources: tuple[str, ...]
    each: Shape
    heads: int = 0
    shift: float = 0.0
    is_stacked: bool = False
    precise: bool = False

    @property
    def shape(self) -> Shape:
        return (len(self.sources), *self.each) if self.is_stacked else self.each

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def is_matrix(self) -> bool:
        """Whether it is kept in the file's type; llama.cpp computes with all else in full precision."""
        return len(self.each) > 1 and not self.precise

    def in_block(self, number: int) -> Weight:
        """The same in one layer, where all layers are alike."""
        return replace(
            self,
            name=f"blk.{number}.{self.name}",
            sources=tuple(f"model.layers.{number}.{s}" for s in self.sources),
        )


def weight(
    name: str, source: str, *shape: int, heads: int = 0, shift: float = 0.0
) -> Weight:
    """A tensor made of one; both names end alike, in `.weight` unless they say `.bias`."""
    end = "" if name.endswith(".bias") else ".weight"
    return Weight(
        name=name + end, sources=(source + end,), each=shape, heads=heads, shift=shift
    )


def experts(name: str, source: str, count: int, *shape: int) -> Weight:
    """The matrices of all experts in one tensor; `source` has a `{}` for the expert's number."""
    sources = tuple(f"{source.format(number)}.weight" for number in range(count))
    return Weight(name=f"{name}.weight", sources=sources, each=shape, is_stacked=True)


# What files of other models' parts are called, and what early Llama files carry without need.
_IMAGE_PARTS = (
    "vision_tower.",
    "multi_modal_projector.",
    "model.vision_tower.",
    "model.multi_modal_projector.",
)
_TEXT_PARTS = {
    "language_model.model.": "model.",
    "model.language_model.": "model.",
    "language_model.lm_head.": "lm_head.",
}
_NEEDLESS = (".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias")


def text_only(tensors: Mapping[str, Stored]) -> dict[str, Stored]:
    """The text model's tensors of one that also sees, under the names they have in a text model."""
    return {
        _text_name(name): tensor
        for name, tensor in tensors.items()
        if not name.startswith(_IMAGE_PARTS)
    }


def _text_name(name: str) -> str:
    for prefix, plain in _TEXT_PARTS.items():
        if name.startswith(prefix):
            return plain + name.removeprefix(prefix)
    return name


def check_weights(
    weights: Iterable[Weight], tensors: Mapping[str, Stored], *, needless: Iterable[str]
) -> None:
    """Raises where the model's tensors are not those that its configuration speaks of."""
    wanted = {source: w for w in weights for source in w.sources}
    for source, made in wanted.items():
        if source not in tensors:
            raise InvalidModel(f"tensor {source} is missing")
        stored = tensors[source]
        if stored.shape != made.each:
            raise InvalidModel(
                f"tensor {source} has the shape {list(stored.shape)}, "
                f"and by config.json it is {list(made.each)}"
            )
        if stored.dtype not in DTYPES:
            raise Unsupported(
                f"tensor {source} is stored as {stored.dtype}, only {', '.join(DTYPES)} can be converted"
            )
    for name in _unknown(tensors, {*wanted, *needless}):
        raise Unsupported(
            f"tensor {clean(name[:200])} is not one that can be converted"
        )


def _unknown(tensors: Iterable[str], known: set[str]) -> Iterator[str]:
    return (t for t in sorted(tensors) if t not in known and not t.endswith(_NEEDLESS))
