"""Quantise a GGUF file of full precision with llama.cpp.

python -m scripts.quantize tiny-f16.gguf tiny.gguf Q8_0
"""

from __future__ import annotations

import argparse
import ctypes
import os
from pathlib import Path

from llama_cpp import llama_cpp

_PREFIX = "LLAMA_FTYPE_MOSTLY_"
FILE_TYPES: dict[str, int] = {
    name.removeprefix(_PREFIX): value
    for name, value in vars(llama_cpp).items()
    if name.startswith(_PREFIX)
}


def quantize(source: Path, target: Path, file_type: str) -> None:
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = FILE_TYPES[file_type]
    paths = os.fsencode(source), os.fsencode(target)
    if llama_cpp.llama_model_quantize(*paths, ctypes.byref(params)) != 0:
        raise RuntimeError(f"llama.cpp could not quantise {source} to {file_type}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument(
        "file_type",
        choices=FILE_TYPES,
        metavar="file_type",
        help="Q8_0, Q4_K_M, … as llama.cpp names them",
    )
    quantize(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
