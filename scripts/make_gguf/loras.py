"""LoRA adapters of random numbers."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

VALUES = ("attn_v.weight",)
ALL_MATRICES = (
    *("attn_q.weight", "attn_k.weight", "attn_v.weight", "attn_output.weight"),
    *("ffn_gate.weight", "ffn_up.weight", "ffn_down.weight"),
)


def write_lora(
    path: Path,
    model: Path,
    *,
    strength: float,
    seed: int = 1,
    rank: int = 4,
    changes: tuple[str, ...] = VALUES,
) -> Path:
    """An adapter for the tensors of a model whose names end so; of strength 0 it changes nothing."""
    random = np.random.default_rng(seed)
    reader = gguf.GGUFReader(model)
    field = reader.fields["general.architecture"]
    writer = gguf.GGUFWriter(path, bytes(field.parts[field.data[0]]).decode())
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))
    for tensor in reader.tensors:
        if tensor.name.endswith(changes):
            num_in, num_out = (int(size) for size in tensor.shape)
            down = random.standard_normal((rank, num_in), np.float32)
            up = strength * random.standard_normal((num_out, rank), np.float32)
            writer.add_tensor(f"{tensor.name}.lora_a", down)
            writer.add_tensor(f"{tensor.name}.lora_b", up)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
