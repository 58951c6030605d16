"""What it costs that an answer must fit a schema, with a vocabulary of real size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from ollapy.api.grammar import Grammar, GrammarKind
from ollapy.grammar.compiler import Compiler, Vocabulary
from ollapy.grammar.constraint import Constraint, Masks
from ollapy.names import ModelName
from ollapy.store import Blobs, Layer, Manifest, Store
from ollapy.store.manifests import CONFIG_TYPE, LAYER_TYPE
from scripts.make_gguf import write_shape
from scripts.make_gguf.words import made_up_vocabulary

from .host import Host
from .report import Row
from .streams import Record, Stream, stream_all

_MODEL = "bench-constrained"
_VOCAB = 128_256
_LAYERS = 6  # a token takes no time beside which a mask would not be seen
_NUM_TOKENS = 128
_PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "email": {"type": "string", "pattern": r"^[a-z.]+@[a-z]+\.[a-z]{2,3}$"},
        "born": {"type": "string", "format": "date"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string"}, "zip": {"type": "integer"}},
            "required": ["street", "zip"],
        },
        "kind": {"enum": ["friend", "colleague", "stranger"]},
    },
    "required": ["name", "age", "email", "born", "tags", "address", "kind"],
}
# never finished within the tokens that are asked for
_PEOPLE = {"type": "array", "items": _PERSON, "minItems": 1000}
# names and choices, of which most is known from their first letters on
_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "customer_identifier": {"type": "integer", "minimum": 0, "maximum": 9999},
        "shipping_country": {"enum": ["Germany", "Netherlands", "Switzerland"]},
        "is_returning_customer": {"type": "boolean"},
        "preferred_language": {"enum": ["english", "french", "german"]},
        "payment_method": {"enum": ["credit card", "bank transfer", "invoice"]},
    },
}
_FORM["required"] = list(_FORM["properties"])
_FORMS = {"type": "array", "items": _FORM, "minItems": 1000}


def constrained(host: Host, rounds: int) -> Iterator[Row]:
    """A token's time with a schema against one without, and what making the masks takes by itself."""
    yield from _masks(rounds)
    with _daemon_with_model(host):
        for count in (1, 8):
            free: list[float] = []
            held: list[float] = []
            filled: list[float] = []
            for _ in range(rounds + 1):
                free.append(_token_seconds(host, count))
                held.append(_token_seconds(host, count, format=_PEOPLE))
                filled.append(_token_seconds(host, count, format=_FORMS))
            for what, seconds in (("with a schema", held), ("of a form", filled)):
                one, other = median(seconds[1:]), median(free[1:])
                detail = f"{one * 1e3:.2f} against {other * 1e3:.2f} ms a token"
                name = f"a token {what} against one without, {_streams(count)}"
                yield Row(name, one / other, "x", 1 / 0.95, detail)


def _masks(rounds: int) -> Iterator[Row]:
    """In this process, without a model."""
    words = made_up_vocabulary(_VOCAB).tokens
    tokens = [word.replace("Ġ", " ").encode() for word in words]
    compiler = Compiler(lambda: Vocabulary(tokens, control=[0, 1, 2], ends=[2]))
    compiler.constraint(_schema(-1))
    masks = Masks(len(tokens))
    first, again, step = [], [], []
    for number in range(rounds * 10):
        first.append(_seconds(lambda n=number: _first_mask(compiler, masks, n)))  # type: ignore[misc]
        again.append(_seconds(lambda n=number: _first_mask(compiler, masks, n)))  # type: ignore[misc]
        constraint = _first_mask(compiler, masks, number)
        row = np.zeros(len(tokens), np.float32)
        step.append(_seconds(lambda c=constraint, r=row: c.restrict(r)))  # type: ignore[misc]
    masks.close()
    for name, seconds, target in (
        ("a new schema and its first mask", first, 50.0),
        ("a schema seen before and its first mask", again, 1.0),
        ("a mask put on a row of logits", step, None),
    ):
        detail = f"at most {max(seconds) * 1e3:.2f} ms, {_VOCAB} tokens"
        yield Row(name, median(seconds) * 1e3, "ms", target, detail)


def _schema(number: int) -> Grammar:
    """The schema, told from the others."""
    return Grammar(GrammarKind.SCHEMA, {**_PERSON, "title": f"number {number}"})


def _first_mask(compiler: Compiler, masks: Masks, number: int) -> Constraint:
    constraint = compiler.constraint(_schema(number))
    with masks.computing([constraint]):
        pass
    return constraint


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


@contextmanager
def _daemon_with_model(host: Host) -> Iterator[None]:
    models = Path(host.env["OLLAPY_MODELS"])
    weights = models.parent / "model.gguf"
    write_shape(weights, shape="0.5b", layers=_LAYERS, vocab=_VOCAB)
    blobs = Blobs(models / "blobs")
    config, model = (
        Layer(media_type, str(blobs.add([data])), len(data))
        for media_type, data in (
            (CONFIG_TYPE, b'{"model_format":"gguf"}'),
            (LAYER_TYPE + "model", weights.read_bytes()),
        )
    )
    manifest = Manifest(config=config, layers=[model])
    Store(models).put(ModelName.parse(_MODEL), manifest)
    with host.daemon():
        yield


def _token_seconds(host: Host, count: int, **body: Any) -> float:
    """How long a step of so many streams takes, as the daemon counts it."""
    options = {"temperature": 0.8, "seed": 1, "num_predict": _NUM_TOKENS}
    asked: Record = {
        "model": _MODEL,
        "prompt": "Tell me",
        "raw": True,
        "options": options,
    }
    return median(map(_decode_seconds, stream_all(host.port, asked | body, count)))


def _decode_seconds(stream: Stream) -> float:
    last = stream.records[-1]
    return float(last["eval_duration"]) / 1e9 / max(int(last["eval_count"]) - 1, 1)


def _streams(count: int) -> str:
    return "one stream" if count == 1 else f"{count} streams"
