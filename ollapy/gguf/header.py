"""Header and Tensor: what a model file says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from .arrays import Array
from .tables import ENCODINGS, FILE_TYPES

_RANK = 4  # of llama.cpp's ways to pool
# Tables of which a token reads a row.
_ROWS = ("per_layer_token_embd.", "position_embd.", "token_types.")

Value = str | int | float | tuple[str, ...] | tuple[int | float, ...] | Array


@dataclass(frozen=True, slots=True)
class Tensor:
    """One row of the tensor table; `shape` has the length of a row first, `offset` counts from the data section."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int

    @property
    def type_name(self) -> str:
        return ENCODINGS[self.type].name

    @property
    def num_elements(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        encoding = ENCODINGS[self.type]
        return self.num_elements // encoding.block * encoding.nbytes


@dataclass(frozen=True, slots=True)
class Header:
    """A checked header. Long arrays stay in the file: `metadata` has an Array in their place.

    `types` are the names of the types that numbers were written with.
    """

    version: int
    metadata: dict[str, Value]
    tensors: tuple[Tensor, ...]
    data_offset: int
    file_size: int
    has_infill_marks: bool = False  # by their texts
    types: dict[str, str] = field(default_factory=dict)

    @property
    def architecture(self) -> str:
        """Empty only in a later part of a split model."""
        return str(self.metadata.get("general.architecture", ""))

    @property
    def has_metadata(self) -> bool:
        """Whether the file says what the model is: a later part of a split model does not."""
        return self.metadata.get("split.no", 0) == 0

    @property
    def is_model(self) -> bool:
        """Weights that can run, rather than a projector, an adapter or a set of measurements."""
        return (
            self.metadata.get("general.type", "model") == "model"
            and self.architecture != "clip"
        )

    def get(self, suffix: str) -> Value | None:
        """The value of `<architecture>.<suffix>`."""
        return self.metadata.get(f"{self.architecture}.{suffix}")

    def count(self, suffix: str) -> int:
        """The whole number at `<architecture>.<suffix>`; 0 when there is none."""
        value = self.get(suffix)
        return value if isinstance(value, int) else 0

    def per_layer(self, suffix: str) -> tuple[int, ...]:
        """A number for each layer, whether the file has one for all or one for each."""
        value = self.get(suffix)
        if isinstance(value, tuple):
            return tuple(number for number in value if type(number) is int)
        return (self.count(suffix),) * self.num_layers

    @property
    def num_layers(self) -> int:
        return self.count("block_count")

    @property
    def context_length(self) -> int:
        """How many tokens the model was trained on at once; 0 for a file that is not a model."""
        return self.count("context_length")

    @property
    def embedding_length(self) -> int:
        return self.count("embedding_length")

    @property
    def num_parameters(self) -> int:
        return sum(tensor.num_elements for tensor in self.tensors)

    @property
    def weights_bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def active_bytes(self) -> int:
        """Bytes of weights that one token reads.

        Of experts those that are chosen; of the table of tokens a row, unless it is the output's matrix as well.
        """
        experts = self.count("expert_count")
        chosen = self.count("expert_used_count") / experts if experts else 1.0
        has_output = any(tensor.name == "output.weight" for tensor in self.tensors)
        rows = ("token_embd.weight",) if has_output else ()
        read = (t for t in self.tensors if not t.name.startswith((*rows, *_ROWS)))
        return sum(int(t.nbytes * (chosen if "_exps." in t.name else 1)) for t in read)

    @property
    def file_type(self) -> str:
        """The quantisation's name as Ollama shows it."""
        number = self.metadata.get("general.file_type")
        return (
            FILE_TYPES.get(number, "unknown") if isinstance(number, int) else "unknown"
        )

    @property
    def chat_template(self) -> str | None:
        """The default Jinja template."""
        template = self.metadata.get("tokenizer.chat_template")
        return template if isinstance(template, str) else None

    @property
    def tools_template(self) -> str | None:
        """The Jinja template for conversations with tools, where it is another than the default."""
        template = self.metadata.get("tokenizer.chat_template.tool_use")
        return template if isinstance(template, str) else None

    @property
    def pooling_type(self) -> int | None:
        value = self.get("pooling_type")
        return value if isinstance(value, int) else None

    @property
    def is_embedding(self) -> bool:
        return self.pooling_type is not None or self.get("attention.causal") is False

    @property
    def is_reranker(self) -> bool:
        """Whether the model judges what a document has to do with a query."""
        return self.pooling_type == _RANK

    @property
    def can_infill(self) -> bool:
        """Whether the vocabulary has the marks of fill-in-the-middle, by their keys or by their texts."""
        names = (("fim_pre", "prefix"), ("fim_suf", "suffix"), ("fim_mid", "middle"))
        keys = self.metadata.keys()
        return self.has_infill_marks or all(
            any(f"tokenizer.ggml.{name}_token_id" in keys for name in either)
            for either in names
        )

    @property
    def kv_heads(self) -> tuple[int, ...]:
        """How many heads have keys and values, layer by layer; a recurrent layer has none."""
        own = self.get("attention.head_count_kv") is not None
        heads = self.per_layer(
            "attention.head_count_kv" if own else "attention.head_count"
        )
        every = self.count("full_attention_interval") or 1
        return tuple(
            0 if (layer + 1) % every else number for layer, number in enumerate(heads)
        )

    @property
    def head_width(self) -> int:
        """The length of a head's key; 0 for a model without attention."""
        heads = max(self.per_layer("attention.head_count"), default=0)
        return self.count("attention.key_length") or (
            self.embedding_length // heads if heads else 0
        )

    @property
    def kv_bytes_per_cell(self) -> int:
        """Memory of one token's keys and values in 16 bits, over all layers that keep them."""
        # an encoder keeps nothing from one batch to the next
        if self.get("attention.causal") is False:
            return 0
        value_width = self.count("attention.value_length") or self.head_width
        return 2 * (self.head_width + value_width) * sum(self.kv_heads)
