"""What an adapter's file must be so that llama.cpp can add it to a model, and does not abort when it computes.

    adapter  blk.0.attn_q.weight.lora_a (inputs, rank) · blk.0.attn_q.weight.lora_b (rank, outputs)
    model    blk.0.attn_q.weight (inputs, outputs)

llama.cpp compares half of this when it loads, and asserts the rest in the middle of a decode.
"""

from __future__ import annotations

from collections import defaultdict
from math import isfinite

from ollapy.errors import InvalidModel

from .header import Header, Tensor

_ALPHA = "adapter.lora.alpha"
_PARTS = ("lora_a", "lora_b")
_NORM = "_norm.weight"  # not part of a LoRA; llama.cpp leaves these out, and most adapters work without
_EMBEDDING, _OUTPUT = "token_embd.weight", "output.weight"
# Encodings that every backend multiplies with.
_ENCODINGS = {
    *("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"),
    *("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
}
_NO_ADAPTER = "NVFP4"  # of weights: llama.cpp aborts where an adapter adds to them


def check_adapter(adapter: Header, model: Header) -> None:
    """InvalidModel where the one does not fit the other; the sentence goes on from whose it is."""
    _check_kind(adapter, model)
    weights = {tensor.name: tensor for tensor in model.tensors}
    pairs = _pairs(adapter)
    if not pairs:
        raise InvalidModel("it changes nothing, there is no tensor in it")
    for name, parts in pairs.items():
        if missing := [part for part in _PARTS if part not in parts]:
            raise InvalidModel(f"it has no {name}.{missing[0]}")
        if name not in weights:
            raise InvalidModel(f"it is for another model, this one has no {name}")
        _check_pair(weights[name], *(parts[part] for part in _PARTS))
    if _EMBEDDING in pairs and _OUTPUT not in weights:
        raise InvalidModel(
            f"it changes {_EMBEDDING}, which is this model's output as well, and llama.cpp cannot do that"
        )


def _check_kind(adapter: Header, model: Header) -> None:
    said = adapter.metadata
    if said.get("general.type") != "adapter" or said.get("adapter.type") != "lora":
        raise InvalidModel("it is no LoRA adapter")
    if adapter.architecture != model.architecture:
        raise InvalidModel(
            f"it is for a {adapter.architecture[:40]} model, and this one is {model.architecture}"
        )
    alpha = said.get(_ALPHA, 0.0)
    is_written_well = _ALPHA not in said or adapter.types.get(_ALPHA) == "f32"
    if not (is_written_well and isinstance(alpha, float) and isfinite(alpha)):
        raise InvalidModel(f"{_ALPHA} is not a number of 32 bits")
    if "adapter.alora.invocation_tokens" in said:
        raise InvalidModel(
            "it is an activated LoRA, which acts from some token of a prompt on, and ollapy applies an adapter to all"
        )


def _pairs(adapter: Header) -> dict[str, dict[str, Tensor]]:
    """The parts of the adapter by the name of the tensor that they add to."""
    pairs: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for tensor in adapter.tensors:
        name, _, part = tensor.name.rpartition(".")
        if part in _PARTS:
            pairs[name][part] = tensor
        elif not tensor.name.endswith(_NORM):
            raise InvalidModel(f"tensor {tensor.name} is no part of a LoRA")
    return pairs


def _check_pair(weight: Tensor, down: Tensor, up: Tensor) -> None:
    """Each has up to four dimensions; those of experts come after the matrix's two."""
    for tensor in (down, up):
        if tensor.type_name not in _ENCODINGS:
            raise InvalidModel(f"{tensor.name} is {tensor.type_name}, not floats")
    if weight.type_name == _NO_ADAPTER:
        raise InvalidModel(
            f"{weight.name} is {_NO_ADAPTER}, which llama.cpp cannot add an adapter to"
        )
    inputs, outputs, *experts = _four(weight)
    rank = _four(up)[0]
    fitting = [inputs, rank, *experts], [rank, outputs, *experts]
    if weight.name == _EMBEDDING:  # a table, so the first part is one as well
        fitting = [rank, outputs, *experts], [rank, inputs, *experts]
    if len(weight.shape) < 2 or (_four(down), _four(up)) != fitting:
        raise InvalidModel(
            f"its shapes for {weight.name} are {list(down.shape)} and {list(up.shape)}, "
            f"which do not fit {list(weight.shape)}: it may be for another size of this model"
        )


def _four(tensor: Tensor) -> list[int]:
    return [*tensor.shape, *(1,) * (4 - len(tensor.shape))]
