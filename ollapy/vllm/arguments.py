"""The arguments of `vllm serve` for a model. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ollapy.store import VllmModel

# vLLM has a tool parser only where it is told that models may choose tools themselves.
_WITH = {"tool_call_parser": ("--enable-auto-tool-choice",)}


def arguments(
    model: VllmModel, max_context: int, max_sequences: int, more: Sequence[str]
) -> list[str]:
    """All but for where it listens; 0 leaves a limit to vLLM. `more` are the user's own, which come last and so win."""
    found = ["serve", model.source, "--served-model-name", str(model.name)]
    limits = {"max_model_len": max_context, "max_num_seqs": max_sequences}
    said = {name: limit for name, limit in limits.items() if limit}
    for name, value in {**model.vllm.given, **said}.items():
        found += [f"--{name.replace('_', '-')}", str(value), *_WITH.get(name, ())]
    return [*found, *more]
