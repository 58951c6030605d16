"""The arguments of `vllm serve` for a model. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ollapy.store import VllmModel

# vLLM has a tool parser only where it is told that models may choose tools themselves.
_WITH = {"tool_call_parser": ("--enable-auto-tool-choice",)}


def arguments(
    model: VllmModel, max_context: int | None, more: Sequence[str]
) -> list[str]:
    """All but for where it listens. `more` are the user's own, which come last and so win."""
    found = ["serve", model.source, "--served-model-name", str(model.name)]
    if max_context:
        found += ["--max-model-len", str(max_context)]
    for name, value in model.vllm.given.items():
        found += [f"--{name.replace('_', '-')}", str(value), *_WITH.get(name, ())]
    return [*found, *more]
