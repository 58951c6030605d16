"""Which model of a repository or folder a tag means, by the names of the files alone. Decides only.

A tag is a file's name, a quantisation, or some other part of a file's name. Without one, and where it fits
several, the first of these wins:

1. Q4_K_M, the usual balance of size and quality,
2. the nearest to it: 4 bits, then 5, 6 and 8, then 3, then 16, then 2, 32 and 1; among equals the K and M kinds.

Where a repository holds several models, the one that it is named for wins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .filenames import SUFFIX, GgufModel, Kind

_BITS = (4, 5, 6, 8, 3, 16, 2, 32, 1)
_KINDS = ("K_M", "K_XL", "K_L", "K_S", "K", "MXFP4", "NL", "XS", "_M", "_1", "_0")
_OBSOLETE = re.compile(r"_4_[48]$|_8_8$|_R[48]$|_KS|_KT$")  # llama.cpp reads none
_PRECISIONS = ("F16", "BF16", "Q8_0", "F32")


def choices(models: Sequence[GgufModel], tag: str, repository: str) -> list[GgufModel]:
    """The weights that the tag means: none, one, or several that cannot be told apart."""
    named = [model for model in models if _is_file(model, tag)]
    if named:
        return _namesakes(named, repository)
    weights = weights_of(models)
    fitting = _fitting(weights, tag) if tag else weights
    return _namesakes(_first(fitting, _distance), repository)


def weights_of(models: Sequence[GgufModel]) -> list[GgufModel]:
    """Those that can run by themselves; drafts only where there is nothing else."""
    found = [model for model in models if model.first.kind is Kind.WEIGHTS]
    drafts = [model for model in models if model.first.kind is Kind.ADDITION]
    return found or [m for m in drafts if "imatrix" not in m.first.stem.lower()]


def projector_for(weights: GgufModel, models: Sequence[GgufModel]) -> GgufModel | None:
    """The projector beside the weights, in 16 bits if there is a choice."""
    found = [m for m in models if m.first.kind is Kind.PROJECTOR]
    near = [m for m in found if m.first.folder == weights.first.folder]
    named = [m for m in near or found if is_named_for(m, weights)]
    best = sorted(named or near or found, key=_precision)
    return best[0] if best else None


def is_named_for(projector: GgufModel, weights: GgufModel) -> bool:
    """Whether the projector's name has the name of the weights in it."""
    own = _plain(weights.first.model)
    return bool(own) and own in _plain(projector.first.stem)


def quants_of(models: Sequence[GgufModel]) -> list[str]:
    """What a tag may say, to be shown: the quantisations, and the names of files without one."""
    weights = weights_of(models)
    return sorted({model.first.quant or model.first.stem for model in weights})


def _fitting(weights: Sequence[GgufModel], tag: str) -> list[GgufModel]:
    quant = tag.upper().replace("FP16", "F16").replace("FP32", "F32")
    fits: list[Callable[[GgufModel], bool]] = [
        lambda model: model.first.quant == quant,
        lambda model: model.first.quant == f"UD-{quant}",
        lambda model: _contains(model.first.path, tag),
    ]
    found = ([model for model in weights if fit(model)] for fit in fits)
    return next(filter(None, found), [])


def _is_file(model: GgufModel, tag: str) -> bool:
    first, wanted = model.first, tag.lower().removesuffix(SUFFIX)
    stems = {first.stem.lower()}
    stems |= {
        part.path.rpartition("/")[2].lower()[: -len(SUFFIX)] for part in model.parts
    }
    return wanted in stems


def _contains(path: str, tag: str) -> bool:
    """Whether the tag is in the path, and not as a piece of a longer word or number."""
    pattern = rf"(?<![a-z0-9]){re.escape(tag)}(?![a-z0-9])"
    return re.search(pattern, path, re.IGNORECASE) is not None


def _distance(model: GgufModel) -> tuple[bool, int, int, bool]:
    """How far the quantisation is from the one that is wanted; smaller is nearer."""
    quant = model.first.quant
    width = next(iter(re.findall(r"Q([1-8])|(\d+)", quant)), ("", ""))
    bits = int(width[0] or width[1] or 0)
    kind = next((i for i, it in enumerate(_KINDS) if it in quant), len(_KINDS))
    return (
        bool(_OBSOLETE.search(quant)),
        _BITS.index(bits) if bits in _BITS else len(_BITS),
        kind,
        quant.startswith("UD-"),
    )


def _namesakes(models: list[GgufModel], repository: str) -> list[GgufModel]:
    """Those of the model that the repository is named for; where they are one model, the file with least said."""
    own = _plain(re.sub(r"[-_.]?gguf$", "", repository, flags=re.IGNORECASE))
    best = _first(models, lambda model: _likeness(_plain(model.first.model), own))
    if len({_plain(model.first.model) for model in best}) > 1:
        return best
    return best[:1]


def _likeness(model: str, repository: str) -> int:
    if model == repository:
        return 0
    return 1 if model and (model in repository or repository in model) else 2


def _precision(model: GgufModel) -> tuple[int, str]:
    quant = model.first.quant
    rank = _PRECISIONS.index(quant) if quant in _PRECISIONS else len(_PRECISIONS)
    return rank, model.first.path


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _first(
    models: Sequence[GgufModel], rank: Callable[[GgufModel], object]
) -> list[GgufModel]:
    """All that share the lowest rank."""
    ranks = [rank(model) for model in models]
    lowest = min(ranks, default=None)  # type: ignore[type-var]
    return [model for model, its in zip(models, ranks, strict=True) if its == lowest]
