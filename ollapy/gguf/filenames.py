"""What the names of GGUF files say, in a repository or a folder of somebody's.

Q8_0/Qwen3-32B-Q8_0-00001-of-00002.gguf       a part of split weights
     └model──┘ └quantisation
mmproj-Qwen2.5-VL-7B-F16.gguf                 what turns pictures into input for the weights beside it
imatrix.gguf, mtp-Qwen3-32B.gguf, …           neither: measurements, drafts, additions
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

SUFFIX = ".gguf"
_SPLIT = re.compile(r"-(\d{5})-of-(\d{5})$")
_QUANT = re.compile(
    r"""
    (?<![A-Z0-9])
    (?: (?:UD-)? I?Q[1-8] (?: _ (?: \d | K[A-Z]{0,2} | NL | XXS | XS | S | M | L | XL | XXL | P | R[48] ) )*
      | (?:UD-)? TQ[12]_0 | (?:UD-)? MXFP4 (?:_MOE)? | NVFP4 | BF16 | FP?16 | FP?32 )
    (?![A-Z0-9])
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ADDITION = re.compile(
    r"imatrix|(?<![a-z])(?:draft|mtp|eagle3?|lora|dflash)(?![a-z])", re.IGNORECASE
)


class Kind(StrEnum):
    """What a file is, as far as its name tells; the values are those of Ollama's layers, where there is one."""

    WEIGHTS = "model"
    PROJECTOR = "projector"
    ADDITION = "addition"


@dataclass(frozen=True, slots=True)
class GgufName:
    """What one path says. `quant` is in capitals, empty where there is none; parts count from 1.

    `stem` is the file's name without its part and suffix, `model` the stem without the quantisation too.
    """

    path: str
    folder: str
    stem: str
    model: str
    quant: str
    kind: Kind
    part: int = 1
    num_parts: int = 1

    @classmethod
    def parse(cls, path: str) -> GgufName | None:
        """None for what is no GGUF file. Folders are separated by slashes."""
        pure = PurePosixPath(path)
        if pure.suffix.lower() != SUFFIX:
            return None
        stem, place = pure.stem, _SPLIT.search(pure.stem)
        if place:
            stem = stem[: place.start()]
        model, quant = _divided(stem)
        folder = str(pure.parent)
        if not quant:
            quant = _divided(folder)[1]
        found = cls(path, folder, stem, model, quant, _kind(stem, quant))
        if place is None:
            return found
        part, num_parts = int(place[1]), int(place[2])
        return cls(path, folder, stem, model, quant, found.kind, part, num_parts)


@dataclass(frozen=True, slots=True)
class GgufModel:
    """The files of one model, in order."""

    parts: tuple[GgufName, ...]

    @property
    def first(self) -> GgufName:
        """The one that speaks for all."""
        return self.parts[0]

    @property
    def paths(self) -> list[str]:
        """The paths of all parts."""
        return [part.path for part in self.parts]

    @property
    def is_whole(self) -> bool:
        """Whether each part is there."""
        numbers = [part.part for part in self.parts]
        return numbers == list(range(1, self.first.num_parts + 1))


def models_of(paths: Iterable[str]) -> list[GgufModel]:
    """What the files make up, by kind of thing and name; files that are no GGUF are passed over."""
    groups: dict[tuple[str, str, int], list[GgufName]] = {}
    for name in filter(None, map(GgufName.parse, paths)):
        key = (name.folder, name.stem, name.num_parts)
        groups.setdefault(key, []).append(name)
    return [
        GgufModel(tuple(sorted(group, key=lambda name: name.part)))
        for _, group in sorted(groups.items())
    ]


def _divided(text: str) -> tuple[str, str]:
    """A name without its quantisation, and that; of several the last, as the first may be the model's name."""
    found = [*_QUANT.finditer(text)]
    if not found:
        return text, ""
    last = found[-1]
    rest = f"{text[: last.start()].rstrip('-_.')}{text[last.end() :]}"
    quant = last[0].upper()
    return rest, {"FP16": "F16", "FP32": "F32"}.get(quant, quant)


def _kind(stem: str, quant: str) -> Kind:
    if "mmproj" in stem.lower():
        return Kind.PROJECTOR
    # weights that were quantised with the help of an imatrix like to say so
    addition = _ADDITION.search(stem)
    if addition and not (quant and addition[0].lower() == "imatrix"):
        return Kind.ADDITION
    return Kind.WEIGHTS
