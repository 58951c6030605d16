"""`python -m ollapy.llama.dry_run REHEARSAL`: the buffers of a load, as JSON, without any being allocated. It ends by itself.

llama.cpp lays everything out and reads the file's header; only it knows what computing a batch takes. Of weights
and cache it says nothing then, which can be reckoned.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from ollapy import lifeline
from ollapy.api.engine import Buffer, Rehearsal
from ollapy.decoding import from_json

from .context import open_context
from .devices import buffers
from .model import open_model


def rehearse(rehearsal: Rehearsal) -> list[Buffer]:
    """Those that would be computed in; LoadFailed where the load would fail for another reason than memory."""
    parts = [Path(path) for path in rehearsal.paths]
    opening = open_model(
        parts, place=rehearsal.place, on_progress=lambda _: None, is_dry=True
    )
    with (
        opening as model,
        open_context(
            model,
            num_cells=rehearsal.num_cells,
            max_sequences=min(rehearsal.max_sequences, model.max_sequences),
            num_batch=rehearsal.num_batch,
            num_threads=1,
            kv_type=rehearsal.kv_type,
        ),
    ):
        return [buffer for buffer in buffers() if buffer.purpose == "compute"]


if __name__ == "__main__":
    lifeline.end_with_parent()
    lifeline.forbid_core_files()
    found = rehearse(from_json(sys.argv[1], Rehearsal))
    sys.stdout.buffer.write(msgspec.json.encode(found))
    sys.stdout.flush()
