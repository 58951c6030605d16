"""What a model's header must say so that llama.cpp neither aborts on it nor computes rubbish in silence.

The bounds are llama.cpp's own where it has an assertion, and generous where it has nothing.
"""

from __future__ import annotations

from math import inf, isnan

from ollapy.errors import InvalidModel

from .arrays import Array
from .header import Header
from .tables import ARCHITECTURES

MAX_LAYERS = 512
MAX_EXPERTS = 1024
MAX_CONTEXT = 1 << 30
MAX_WIDTH = 1 << 20
_PICTURE = "v."  # how the tensors of a picture encoder begin; Ollama keeps them with the others
_ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")


def check_split(header: Header, *, part: bool) -> None:
    """Refuses one part of a model that was split into several files, unless a `part` is wanted."""
    count = header.metadata.get("split.count", 1)
    number = header.metadata.get("split.no", 0)
    if type(count) is not int or type(number) is not int or number >= max(count, 1):
        raise InvalidModel(f"split.no is {number} and split.count is {count}")
    if count > 1 and not part:
        raise InvalidModel(
            f"the file is part {number + 1} of {count} of a split model, give all of its parts"
        )


def check_model(header: Header) -> None:
    architecture = header.metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise InvalidModel("general.architecture is missing")
    if not header.is_model:
        return
    if architecture not in ARCHITECTURES:
        raise InvalidModel(f"llama.cpp has no architecture {architecture[:40]!r}")
    if any(tensor.name.startswith(_PICTURE) for tensor in header.tensors):
        raise InvalidModel(
            "its picture encoder is in the same file, and llama.cpp takes one of its own"
        )
    if not header.tensors and header.metadata.get("split.count", 1) in (0, 1):
        raise InvalidModel("the file has no tensors")
    _within(header, "block_count", 1, MAX_LAYERS)
    _within(header, "context_length", 1, MAX_CONTEXT)
    _within(header, "embedding_length", 1, MAX_WIDTH)
    _check_experts(header)
    _check_heads(header)
    _check_numbers(header)
    _check_rope(header)


def _within(
    header: Header, suffix: str, low: int, high: int, *, default: int | None = None
) -> int:
    """The whole number at `<architecture>.<suffix>`, which is missing only if there is a default."""
    key = f"{header.architecture}.{suffix}"
    value = header.metadata.get(key, default)
    if value is None:
        raise InvalidModel(f"{key} is missing")
    if type(value) is not int:
        raise InvalidModel(f"{key} is not a whole number")
    if not low <= value <= high:
        raise InvalidModel(f"{key} is {value}, not between {low} and {high}")
    return value


def _check_experts(header: Header) -> None:
    """Each bound is an assertion of llama.cpp's."""
    _within(header, "nextn_predict_layers", 0, header.num_layers, default=0)
    experts = _within(header, "expert_count", 0, MAX_EXPERTS, default=0)
    used = max(_each_layer(header, "expert_used_count"), default=0)
    if not min(experts, 1) <= used <= experts:
        raise InvalidModel(
            f"{header.architecture}.expert_used_count is {used}, and there are {experts} experts"
        )
    groups = _within(header, "expert_group_count", 0, max(experts - 1, 0), default=0)
    if groups > 1:
        _within(header, "expert_group_used_count", 1, groups - 1, default=0)
        if experts % groups:
            raise InvalidModel(
                f"{header.architecture}.expert_group_count is {groups}, which does not divide {experts} experts"
            )


def _check_heads(header: Header) -> None:
    prefix = f"{header.architecture}.attention"
    heads, width = _each_layer(header, "attention.head_count"), header.embedding_length
    for suffix in ("head_count_kv", "key_length", "value_length"):
        _each_layer(header, f"attention.{suffix}")
    _each_layer(header, "feed_forward_length")
    most = max(heads, default=0)
    if most and width % most and not header.get("attention.key_length"):
        raise InvalidModel(
            f"{prefix}.head_count is {most}, which does not divide {width}, the embedding length"
        )
    if _is_recurrent(header):
        return
    if most == 0:
        raise InvalidModel(f"{prefix}.head_count is 0")
    if not any(header.kv_heads):
        raise InvalidModel(f"{prefix}.head_count_kv is 0")
    for num_heads, num_kv in zip(heads, header.kv_heads, strict=False):
        if num_kv and (num_kv > num_heads or num_heads % num_kv):
            raise InvalidModel(
                f"{prefix}.head_count_kv is {num_kv}, which does not divide {num_heads} heads"
            )


def _each_layer(header: Header, suffix: str) -> tuple[int, ...]:
    """Checks a number for all layers, or an array with one for each; 0 when the file has neither."""
    value = header.get(suffix)
    if not isinstance(value, Array | tuple):
        _within(header, suffix, 0, MAX_WIDTH, default=0)
        return header.per_layer(suffix)
    numbers, layers = header.per_layer(suffix), header.num_layers
    drafting = header.count("nextn_predict_layers")  # layers that may have no number
    complete = isinstance(value, tuple) and len(numbers) == len(value)
    if (
        not complete
        or len(numbers) not in (layers, layers - drafting)
        or not all(0 <= n <= MAX_WIDTH for n in numbers)
    ):
        raise InvalidModel(
            f"{header.architecture}.{suffix} is not one number for each of {layers} layers"
        )
    return numbers


def _is_recurrent(header: Header) -> bool:
    """Whether some layers have a state instead of attention, so that no heads is an answer."""
    prefixes = tuple(
        f"{header.architecture}.{name}." for name in ("ssm", "wkv", "shortconv")
    )
    return any(key.startswith(prefixes) for key in header.metadata)


def _check_numbers(header: Header) -> None:
    for key, value in header.metadata.items():
        if key.startswith(f"{header.architecture}.") and isinstance(value, float):
            if isnan(value):
                raise InvalidModel(f"{key} is not a number")
            if key.endswith("_epsilon") and value < 0:
                raise InvalidModel(f"{key} is negative")


def _check_rope(header: Header) -> None:
    """A base of 0 or an endless scale loads, and then every answer is rubbish."""
    prefix = f"{header.architecture}.rope."
    positive = tuple(
        prefix + name for name in ("freq_base", "scaling.factor", "scale_linear")
    )
    for key, value in header.metadata.items():
        if (
            key.startswith(positive)
            and isinstance(value, float)
            and not 0 < value < inf
        ):
            raise InvalidModel(f"{key} is {value}, not a positive number")
    if header.metadata.get(f"{prefix}scaling.type", "none") not in _ROPE_SCALINGS:
        raise InvalidModel(
            f"{prefix}scaling.type is not one of {', '.join(_ROPE_SCALINGS)}"
        )
    rotated, head = header.count("rope.dimension_count"), header.head_width
    if rotated % 2 or (head and not 0 <= rotated <= head):
        raise InvalidModel(
            f"{prefix}dimension_count is {rotated}, not an even number up to {head}"
        )
