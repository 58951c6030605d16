"""Limits: how many tokens a loaded model reads at once, and a request may have."""

from __future__ import annotations

from ollapy.llama.model import Model

from .protocol import Load

# A text that must be seen whole is one batch, whose buffers are reserved when the context is made.
_MAX_EMBED_BATCH = 2048
# Cells for a generating model's vectors, for which no memory was set aside: no more than it began with either.
_MAX_EMBED_CELLS = 8192
_LEAST = 4


def max_embed_tokens(load: Load, model: Model) -> int:
    """How long a text may be: a batch, or a context where the model can read it in parts."""
    if not model.is_causal:
        return min(_MAX_EMBED_BATCH, model.num_ctx_train)
    cells = load.num_ctx
    if not model.is_embedding:
        cells = min(cells, load.num_cells, _MAX_EMBED_CELLS)
    return min(cells, model.num_ctx_train)


def max_tokens(load: Load, model: Model) -> int:
    """How many tokens prompt and answer may have, within what model and pool allow."""
    most = min(max(load.num_cells, load.max_cells), model.num_ctx_train)
    # an encoder reads its prompt in one batch
    return min(most, load.num_batch) if model.has_encoder else most


def context_length(wanted: int | None, default: int, most: int) -> int:
    """A context's length as a request may have it: what it wants, where that is a length."""
    return min(max(wanted if wanted and wanted > 0 else default, _LEAST), most)
