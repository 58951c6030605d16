"""Footprint: what a model takes, layer by layer, as llama.cpp will lay it out. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ollapy.gguf import Header

# Bytes of a number in the cache, by what it is kept in: a block of 32 has so many.
_BLOCK = 32
_BLOCK_BYTES = {"f16": 64, "q8_0": 34, "q4_0": 18}
KV_TYPES = tuple(_BLOCK_BYTES)
_WORD_BYTES = 256
MAX_BATCH = 512  # tokens at a time
CELLS = 256  # at a time: llama.cpp rounds up to it
_BLOCK_TENSOR = re.compile(r"(?:dec\.)?blk\.([0-9]+)\.")
_EXPERTS = re.compile(r"\.ffn_(?:up|down|gate|gate_up)_(?:ch|)exps\.")
_OUTPUT = re.compile(r"(?:dec\.)?output(?:_norm)?\.")
# Which layers see no more than a window, where the file does not say: all but each nth, from which one.
_WINDOWS = {
    "gemma2": (2, False),
    "gemma3": (6, False),
    "gemma3n": (5, False),
    "gpt-oss": (2, False),
    "cohere2": (4, False),
    "exaone4": (4, False),
    "exaone-moe": (4, False),
    "olmo2": (4, False),
    "afmoe": (4, False),
    "llama4": (4, False),
    "smallthinker": (4, True),
    "cohere2moe": (4, True),
}


def padded(cells: int) -> int:
    """As many as llama.cpp makes of them."""
    return -(-cells // CELLS) * CELLS


@dataclass(frozen=True, slots=True)
class Layer:
    """Bytes of its weights, how many of them are experts', numbers that it keeps for a token, bytes for a sequence.

    With a `window` it keeps so many tokens at most; 0 is all.
    """

    weights: int
    experts: int
    numbers: int
    window: int
    state: int

    def cache(self, num_cells: int, kv_type: str) -> int:
        """Bytes of its keys and values."""
        cells = min(num_cells, self.window) if self.window else num_cells
        return padded(cells) * self.numbers * _BLOCK_BYTES[kv_type] // _BLOCK

    def keeps(self, num_cells: int, kv_type: str) -> int:
        """Bytes beside its weights."""
        return self.cache(num_cells, kv_type) + self.state


@dataclass(frozen=True, slots=True)
class Scale:
    """How many times as much an earlier load took as is reckoned here."""

    cache: float = 1.0
    compute: float = 1.0


_AS_RECKONED = Scale()


@dataclass(frozen=True)
class Footprint:
    """A model that runs `max_sequences` at once, `num_batch` tokens at a time.

    `beside` are bytes of its adapters and projectors.
    """

    header: Header
    max_sequences: int
    num_batch: int
    beside: int = 0
    scale: Scale = _AS_RECKONED

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """In order; the output matrix, which llama.cpp counts as one, is not among them."""
        weights, experts = self._weights
        return tuple(
            Layer(weights[i], experts[i], numbers, window, state)
            for i, (numbers, window, state) in enumerate(self._kept())
        )

    @property
    def num_layers(self) -> int:
        """Of those that can be on an accelerator, the output matrix among them."""
        return len(self.layers) + 1

    @cached_property
    def output(self) -> int:
        """Bytes of the output matrix, where the processor has it."""
        return sum(t.nbytes for t in self.header.tensors if _OUTPUT.match(t.name))

    @cached_property
    def offloaded_output(self) -> int:
        """Bytes of the output matrix on an accelerator: the token embeddings once more where there is none of its own."""
        tensors = self.header.tensors
        if any(t.name == "output.weight" for t in tensors):
            return self.output
        return self.output + sum(
            t.nbytes for t in tensors if t.name == "token_embd.weight"
        )

    @cached_property
    def inputs(self) -> int:
        """Bytes that are always the processor's: token embeddings, and what belongs to no layer."""
        weights, _ = self._weights
        return self.header.weights_bytes - sum(weights.values()) - self.output

    @property
    def vocabulary(self) -> int:
        """Bytes of the words themselves, as llama.cpp and grammars keep them; always the processor's."""
        return _WORD_BYTES * self._num_vocab

    @property
    def has_experts(self) -> bool:
        """Whether most of the weights are idle at any token."""
        return any(layer.experts for layer in self.layers)

    @property
    def can_quantize_cache(self) -> bool:
        """Whether keys and values can be kept in blocks: heads are whole numbers of them."""
        header = self.header
        value = header.count("attention.value_length") or header.head_width
        widths = (header.head_width, value)
        return not header.is_embedding and all(w and w % _BLOCK == 0 for w in widths)

    def compute(self, num_cells: int) -> int:
        """Bytes of the buffers that one device computes a batch in, about: llama.cpp alone knows."""
        header, batch = self.header, self.num_batch
        width, heads = header.embedding_length, max(header.per_layer("attention.head_count"), default=0)  # fmt: skip
        used = max(header.count("expert_used_count"), 1)
        feed = max(
            *header.per_layer("feed_forward_length"),
            used * header.count("expert_feed_forward_length"),
            0,
        )
        numbers = 6 * width + 2 * heads * header.head_width + 2 * feed
        outputs = self.max_sequences * self._num_vocab
        reckoned = 4 * (batch * numbers + outputs) + 2 * batch * num_cells
        return int(reckoned * self.scale.compute)

    @property
    def _num_vocab(self) -> int:
        embedding = next((t for t in self.header.tensors if t.name == "token_embd.weight"), None)  # fmt: skip
        return embedding.shape[-1] if embedding else 0

    @cached_property
    def _weights(self) -> tuple[Counter[int], Counter[int]]:
        """Bytes by layer: all, and the experts'."""
        weights: Counter[int] = Counter()
        experts: Counter[int] = Counter()
        for tensor in self.header.tensors:
            if found := _BLOCK_TENSOR.match(tensor.name):
                layer = int(found[1])
                weights[layer] += tensor.nbytes
                if _EXPERTS.search(tensor.name):
                    experts[layer] += tensor.nbytes
        return weights, experts

    def _kept(self) -> Iterator[tuple[int, int, int]]:
        """Of each layer: numbers kept for a token, the window's cells, bytes of state."""
        header = self.header
        state = 4 * _state_numbers(header) * self.max_sequences
        window = header.count("attention.sliding_window")
        cells = window * self.max_sequences + self.num_batch if window else 0
        is_causal = header.get("attention.causal") is not False
        for heads, is_window in zip(header.kv_heads, _windows(header), strict=False):
            numbers = heads * _head_numbers(header, is_window) if is_causal else 0
            numbers = round(numbers * self.scale.cache)
            yield numbers, cells if is_window else 0, 0 if heads else state


def _head_numbers(header: Header, is_window: bool) -> int:
    """Of a head's key and value for one token; a value that is part of its key is not kept."""
    end = "_swa" if is_window and header.count("attention.key_length_swa") else ""
    key = header.count(f"attention.key_length{end}") or header.head_width
    if header.count("attention.key_length_mla"):
        return key
    return key + (header.count(f"attention.value_length{end}") or header.head_width)


def _windows(header: Header) -> tuple[bool, ...]:
    """Whether each layer sees a window only."""
    count = header.num_layers
    if not header.count("attention.sliding_window"):
        return (False,) * count
    pattern = header.get("attention.sliding_window_pattern")
    if isinstance(pattern, tuple):
        return tuple(bool(flag) for flag in pattern)
    every, first = _WINDOWS.get(header.architecture, (0, False))
    every = pattern if isinstance(pattern, int) else every
    if not every:
        return (False,) * count
    full = 0 if first else every - 1
    return tuple(layer % every != full for layer in range(count))


def _state_numbers(header: Header) -> int:
    """Of a recurrent layer for one sequence: its convolution's last inputs, and its state."""
    if width := header.count("wkv.head_size"):
        shifts = header.count("token_shift_count") or 2
        return header.embedding_length * (shifts + width)
    if length := header.count("shortconv.l_cache"):
        return header.embedding_length * (length - 1)
    inner, size = header.count("ssm.inner_size"), header.count("ssm.state_size")
    groups, kernel = header.count("ssm.group_count"), header.count("ssm.conv_kernel")
    return max(kernel - 1, 0) * (inner + 2 * groups * size) + size * inner
