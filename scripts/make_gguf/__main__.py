"""Write a made-up model: a small one for tests, or a large one for benchmarks.

    python -m scripts.make_gguf scripted hello.gguf --text "Hello!"
    python -m scripts.make_gguf random random.gguf
    python -m scripts.make_gguf embedder reranker.gguf --pooling rank
    python -m scripts.make_gguf shape 0.5b.gguf --shape 0.5b --type Q4_K_M

The small ones are below 1 MB. The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ollapy.gguf.tables import FILE_TYPES

from . import (
    POOLINGS,
    REAL_SHAPES,
    write_embedder,
    write_encoder_decoder,
    write_gemma3_projector,
    write_hybrid,
    write_llava,
    write_qwen2,
    write_qwen2vl,
    write_qwen2vl_projector,
    write_random,
    write_recurrent,
    write_scripted,
    write_shape,
    write_sliding,
    write_ultravox_projector,
)

# The kinds that a seed says everything about, with what their help says.
_RANDOM: dict[str, tuple[Callable[..., None], str]] = {
    "random": (write_random, "a llama"),
    "qwen2": (write_qwen2, "a qwen2"),
    "sliding": (write_sliding, "a gemma3, half of whose layers see 32 tokens"),
    "hybrid": (write_hybrid, "an LFM2: convolutions and attention"),
    "recurrent": (write_recurrent, "a Mamba: a state and no attention"),
    "encoder-decoder": (write_encoder_decoder, "a T5"),
    "embedder": (write_embedder, "a BERT, or whatever fits the pooling"),
    "qwen2vl": (write_qwen2vl, "a qwen2vl, for which the next is made"),
    "qwen2vl-projector": (write_qwen2vl_projector, "what sees for a qwen2vl"),
    "llava": (write_llava, "what sees for a llama"),
    "gemma3-projector": (write_gemma3_projector, "what sees for a gemma3"),
    "ultravox-projector": (write_ultravox_projector, "what hears for a llama"),
    "shape": (write_shape, "a model of a real one's shape"),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    subparsers = parser.add_subparsers(required=True, metavar="kind")
    kinds = {"scripted": subparsers.add_parser("scripted", help="says a text")}
    kinds["scripted"].set_defaults(write=write_scripted)
    for name, (write, help) in _RANDOM.items():
        kinds[name] = subparsers.add_parser(name, help=f"{help}, of random weights")
        kinds[name].set_defaults(write=write)
        kinds[name].add_argument("--seed", type=int, default=0)
    for kind in kinds.values():
        kind.add_argument("path", type=Path)
    _add_script(kinds["scripted"])
    kinds["embedder"].add_argument("--pooling", choices=POOLINGS, default="mean")
    _add_shape(kinds["shape"])
    arguments = vars(parser.parse_args())
    arguments.pop("write")(**arguments)


def _add_script(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--text", required=True)
    parser.add_argument("--thinking", default="", help="said first, in <think>")
    parser.add_argument("--endless", action="store_true", help="never stop")


def _add_shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shape", choices=REAL_SHAPES, default="0.5b")
    parser.add_argument(
        "--type",
        dest="file_type",
        choices=FILE_TYPES.values(),
        metavar="TYPE",
        default="Q4_K_M",
        help="Q8_0, F16, … as llama.cpp names them (%(default)s)",
    )
    parser.add_argument(
        "--vocab",
        dest="vocabulary",
        type=Path,
        metavar="FILE",
        help="a model file to take the vocabulary from; it is made up otherwise",
    )


if __name__ == "__main__":
    main()
