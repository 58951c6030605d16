"""A Hugging Face model becomes a GGUF: what is read, decided and checked before the first byte is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ollapy.errors import InvalidModel
from ollapy.gguf import read_header

from .config import Config
from .families import Recognised, recognise
from .folder import MAX_TOKENIZER, Folder
from .layout import Layout
from .metadata import Value, general
from .safetensors import Stored, read_tables
from .sentencepiece import is_pieces, read_pieces
from .special import Specials
from .tokenizer_json import TokenizerJson, read_vocabulary
from .vocabulary import Vocabulary
from .weights import Weight, check_weights, text_only
from .writer import Contents, write


def convert_folder(
    path: Path, target: Path, out_type: str, told: Callable[[int, int], None]
) -> list[str]:
    """Convert the model in a folder; what the user should know of the result."""
    contents, warnings = plan(Folder(path), out_type)
    write(target, contents, told)
    read_header(target)  # what llama.cpp would abort on is refused here, and now
    return warnings


def plan(folder: Folder, out_type: str) -> tuple[Contents, list[str]]:
    """What the file will hold, and what the user should know of it."""
    values = folder.json("config.json", dict[str, Any])
    if values is None:
        raise InvalidModel("config.json is missing")
    config = Config(values)
    recognised = recognise(config)
    layout = Layout(recognised)
    weights, sources = _weights(folder, layout, recognised)
    tokenizer = folder.json("tokenizer.json", TokenizerJson, limit=MAX_TOKENIZER)
    vocabulary = _vocabulary(folder, tokenizer)
    vocabulary.fit(layout.sizes.vocab)
    specials = Specials(folder, recognised.config, vocabulary)
    chosen = _exact(weights, sources) if out_type == "auto" else out_type
    metadata: dict[str, Value] = {
        **general(folder, config, weights, chosen),
        **layout.metadata(),
        **vocabulary.metadata(),
        **specials.metadata(tokenizer),
        **specials.templates(),
    }
    contents = Contents(
        architecture=recognised.family.architecture,
        metadata=metadata,
        weights=weights,
        sources=sources,
        out_type=chosen,
        rope_factors=layout.rope.factors(),
    )
    return contents, [*layout.warnings, *vocabulary.warnings, *_blindness(recognised)]


def _blindness(recognised: Recognised) -> Iterable[str]:
    return ["the model will not see images"] if recognised.sees else []


def _weights(
    folder: Folder, layout: Layout, recognised: Recognised
) -> tuple[list[Weight], Mapping[str, Stored]]:
    tensors = read_tables(folder)
    sources = text_only(tensors) if recognised.sees else tensors
    weights = layout.weights()
    needless = ["lm_head.weight"] if layout.is_tied else []
    check_weights(weights, sources, needless=needless)
    return weights, sources


def _exact(weights: Iterable[Weight], sources: Mapping[str, Stored]) -> str:
    """The type of the model's matrices, where they have one; the one that holds all of them otherwise."""
    types = {sources[s].dtype for w in weights if w.is_matrix for s in w.sources}
    return types.pop() if types in ({"F16"}, {"BF16"}) else "F32"


def _vocabulary(folder: Folder, tokenizer: TokenizerJson | None) -> Vocabulary:
    """Of SentencePiece's own file where there is one: it has the scores."""
    pieces = folder.data("tokenizer.model", limit=MAX_TOKENIZER)
    if pieces and (is_pieces(pieces) or not tokenizer):
        vocabulary = read_pieces(pieces)
    elif tokenizer:
        vocabulary = read_vocabulary(tokenizer)
    else:
        raise InvalidModel("tokenizer.json and tokenizer.model are missing")
    if tokenizer:
        vocabulary.add(tokenizer.added)
    return vocabulary
