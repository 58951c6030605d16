"""Small GGUF files for tests, large ones of made-up weights for benchmarks.

The same arguments give the same bytes.
"""

from .decoders import write_qwen2, write_qwen2vl, write_random, write_sliding
from .encoders import POOLINGS, write_embedder
from .experts import write_experts
from .loras import write_lora
from .projectors import (
    write_gemma3_projector,
    write_llava,
    write_qwen2vl_projector,
    write_ultravox_projector,
)
from .scripted import cut, write_scripted
from .shapes import REAL_SHAPES, write_shape
from .states import write_hybrid, write_recurrent
from .t5 import write_encoder_decoder
from .templates import CHATML, THINKING_CHATML
from .vocabulary import spell

__all__ = [
    "CHATML",
    "POOLINGS",
    "REAL_SHAPES",
    "THINKING_CHATML",
    "cut",
    "spell",
    "write_embedder",
    "write_encoder_decoder",
    "write_experts",
    "write_gemma3_projector",
    "write_hybrid",
    "write_llava",
    "write_lora",
    "write_qwen2",
    "write_qwen2vl",
    "write_qwen2vl_projector",
    "write_random",
    "write_recurrent",
    "write_scripted",
    "write_shape",
    "write_sliding",
    "write_ultravox_projector",
]
