"""VllmOptions: what a model says of the vLLM that it is to run in.

They are a model's alone: a request cannot change how a server is started. Each is a typed field with a name of
vLLM's own, so that none becomes another argument than the one it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ollapy.decoding import converted
from ollapy.errors import InvalidRequest

ENGINE, VLLM = "engine", "vllm"

_Count = Annotated[int, Meta(ge=1, le=1_000_000)]
_Share = Annotated[float, Meta(gt=0, le=1)]
_Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")]


class VllmOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """None leaves it to vLLM; `gpu_memory_utilization` is a share of each accelerator's memory."""

    tensor_parallel_size: _Count | None = None
    pipeline_parallel_size: _Count | None = None
    data_parallel_size: _Count | None = None
    distributed_executor_backend: Literal["mp", "ray"] | None = None
    gpu_memory_utilization: _Share | None = None
    max_num_seqs: _Count | None = None
    dtype: _Word | None = None
    quantization: _Word | None = None
    kv_cache_dtype: _Word | None = None
    tool_call_parser: _Word | None = None
    reasoning_parser: _Word | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Those that are said, by their names."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


NAMES = frozenset(VllmOptions.__struct_fields__)


def parse(
    parameters: Mapping[str, object],
) -> tuple[VllmOptions | None, dict[str, object]]:
    """What a model's parameters say of vLLM, None where it runs in llama.cpp, and the other parameters.

    InvalidRequest where a value cannot be right, or nothing says that it is for vLLM.
    """
    own = {k: v for k, v in parameters.items() if k in NAMES and v is not None}
    rest = {k: v for k, v in parameters.items() if k not in NAMES and k != ENGINE}
    engine = parameters.get(ENGINE)
    if engine not in (None, VLLM):
        raise InvalidRequest(
            f"parameter 'engine' must be {VLLM}, or not be there for llama.cpp"
        )
    if engine is None and own:
        raise InvalidRequest(
            f"parameter '{next(iter(own))}' is vLLM's: say `PARAMETER engine vllm` too"
        )
    return (None if engine is None else _options(own)), rest


def _options(given: Mapping[str, object]) -> VllmOptions:
    try:
        return converted(dict(given), VllmOptions)
    except msgspec.ValidationError as exc:
        what, _, where = str(exc).partition(" - at `$.")
        raise InvalidRequest(f"parameter '{where.rstrip('`')}': {what}") from exc
