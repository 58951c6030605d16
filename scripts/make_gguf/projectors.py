"""Projectors (mmproj): what makes of a picture the embeddings that a text model takes for tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from .file import write_tensors
from .tensors import Matrix, Sizes, in_blocks, random_tensors

_MEL, _STACK = 16, 6  # frequencies of a sound, and frames that become a token


@dataclass(frozen=True, kw_only=True)
class Vision:
    """The sizes of a tiny vision transformer; `image` and `patch` are pixels."""

    width: int = 32
    layers: int = 2
    heads: int = 2
    ffn: int = 64
    patch: int = 8
    image: int = 32
    output: int = 64  # the text model's width


def write_llava(path: Path, *, seed: int = 0, vision: Vision = Vision()) -> None:
    """A projector of random weights as llava has it: each picture becomes 16 tokens, whatever its size."""
    writer = _open(path, vision, "mlp")
    patches = (vision.image // vision.patch) ** 2
    sizes: Sizes = {
        "v.class_embd": (vision.width,),
        "v.patch_embd.weight": (vision.width, 3, vision.patch, vision.patch),
        "v.position_embd.weight": (patches + 1, vision.width),
        **_norm("v.pre_ln", vision.width),
        **in_blocks([_block(vision)] * vision.layers, prefix="v.blk"),
        **_layer("mm.0", vision.output, vision.width),
        **_layer("mm.2", vision.output, vision.output),
    }
    write_tensors(writer, sizes, _tensors(sizes, seed))


def write_qwen2vl_projector(
    path: Path, *, seed: int = 0, vision: Vision = Vision()
) -> None:
    """A projector of random weights as Qwen2-VL has it: a token for each 16 by 16 pixels, whose place is two-dimensional."""
    writer = _open(path, vision, "qwen2vl_merger")
    merged = 4 * vision.width
    patch = (vision.width, 3, vision.patch, vision.patch)
    sizes: Sizes = {
        "v.patch_embd.weight": patch,
        "v.patch_embd.weight.1": patch,
        **in_blocks([_block(vision)] * vision.layers, prefix="v.blk"),
        **_norm("v.post_ln", vision.width),
        **_layer("mm.0", merged, merged),
        **_layer("mm.2", vision.output, merged),
    }
    write_tensors(writer, sizes, _tensors(sizes, seed))


def write_gemma3_projector(
    path: Path, *, seed: int = 0, vision: Vision = Vision(image=64)
) -> None:
    """A projector of random weights as Gemma 3 has it: 16 tokens, each of which sees all others of its picture."""
    writer = _open(path, vision, "gemma3")
    writer.add_vision_projector_scale_factor(2)
    patches = (vision.image // vision.patch) ** 2
    sizes: Sizes = {
        "v.patch_embd.weight": (vision.width, 3, vision.patch, vision.patch),
        "v.patch_embd.bias": (vision.width,),
        "v.position_embd.weight": (patches, vision.width),
        **in_blocks([_block(vision)] * vision.layers, prefix="v.blk"),
        **_norm("v.post_ln", vision.width),
        "mm.soft_emb_norm.weight": (vision.width,),
        "mm.input_projection.weight": (vision.width, vision.output),
    }
    write_tensors(writer, sizes, _tensors(sizes, seed))


def write_ultravox_projector(
    path: Path, *, seed: int = 0, vision: Vision = Vision()
) -> None:
    """A projector of random weights for sounds as Ultravox has it: 250 tokens for each half a minute begun."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_clip_has_audio_encoder(True)
    writer.add_clip_has_vision_encoder(False)
    writer.add_clip_projector_type("ultravox")
    writer.add_audio_embedding_length(vision.width)
    writer.add_audio_feed_forward_length(vision.ffn)
    writer.add_audio_block_count(vision.layers)
    writer.add_audio_head_count(vision.heads)
    writer.add_audio_attention_layernorm_eps(1e-5)
    writer.add_audio_projection_dim(vision.output)
    writer.add_audio_num_mel_bins(_MEL)
    writer.add_audio_stack_factor(_STACK)
    width, hidden = vision.width, 2 * vision.output
    block = {k: v for k, v in _block(vision).items() if k != "attn_k.bias"}
    sizes: Sizes = {
        "a.conv1d.1.weight": (width, _MEL, 3),
        "a.conv1d.1.bias": (width, 1),
        "a.conv1d.2.weight": (width, width, 3),
        "a.conv1d.2.bias": (width, 1),
        "a.position_embd.weight": (1500, width),
        **in_blocks([block] * vision.layers, prefix="a.blk"),
        **_norm("a.post_ln", width),
        "mm.a.norm_pre.weight": (_STACK * width,),
        "mm.a.mlp.1.weight": (2 * hidden, _STACK * width),
        "mm.a.norm_mid.weight": (hidden,),
        "mm.a.mlp.2.weight": (vision.output, hidden),
    }
    write_tensors(writer, sizes, _tensors(sizes, seed))


def _open(path: Path, vision: Vision, kind: str) -> Any:
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type(kind)
    writer.add_vision_embedding_length(vision.width)
    writer.add_vision_feed_forward_length(vision.ffn)
    writer.add_vision_block_count(vision.layers)
    writer.add_vision_head_count(vision.heads)
    writer.add_vision_attention_layernorm_eps(1e-5)
    writer.add_vision_projection_dim(vision.output)
    writer.add_vision_image_size(vision.image)
    writer.add_vision_patch_size(vision.patch)
    writer.add_vision_image_mean([0.5] * 3)
    writer.add_vision_image_std([0.5] * 3)
    return writer


def _block(vision: Vision) -> Sizes:
    width, ffn = vision.width, vision.ffn
    return {
        **_norm("ln1", width),
        **_layer("attn_q", width, width),
        **_layer("attn_k", width, width),
        **_layer("attn_v", width, width),
        **_layer("attn_out", width, width),
        **_norm("ln2", width),
        **_layer("ffn_up", ffn, width),
        **_layer("ffn_down", width, ffn),
    }


def _layer(name: str, outputs: int, inputs: int) -> Sizes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> Sizes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _tensors(sizes: Sizes, seed: int) -> Iterator[Matrix]:
    """Random ones, but what is the same for all pictures is small: these are to make the difference."""
    for name, tensor in zip(sizes, random_tensors(sizes, seed), strict=True):
        if "norm" in name:
            tensor = np.ones_like(tensor)
        is_same = name.endswith(("bias", "class_embd")) and "norm" not in name
        yield tensor * (0.1 if is_same or "position" in name else 1)
