"""Options: what a request or a Modelfile may set, and the SamplingParams that follow from them.

Values out of range are brought into it rather than refused, as clients send absurd ones; a value of
the wrong type is refused in Ollama's words. Nothing unchecked reaches llama.cpp from here.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Mapping

import msgspec

from ollapy.api.adapters import AdapterChoice
from ollapy.decoding import converted
from ollapy.errors import InvalidRequest

logger = logging.getLogger(__name__)

MAX_STOPS, MAX_STOP_BYTES = 256, 4096
MAX_SHARES = 128
_MAX_TOLD, _MAX_NAME = 16, 80  # names in the log, and characters of each
_MAX_INT = 2**31 - 1
_MAX_FLOAT = sys.float_info.max


class SamplingParams(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the sampler needs, every value in range.

    `max_tokens` None means up to the context's limit rule; `top_k` 0 and `repeat_last_n` 0 are off,
    `repeat_last_n` -1 is the whole context; `seed` None draws one. `logprobs` is the number of
    alternatives to report, None for no log-probabilities at all; `prompt_logprobs` the same of the prompt.
    `logit_bias` is added to the logits of the tokens that it names.
    """

    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    logit_bias: dict[int, float] = {}


class Options(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything Ollama's `options` object knows, and `think_budget` of ollapy's own; None is unset.

    `num_gpu`, `main_gpu`, `num_thread` and ollapy's own `tensor_split` and `n_cpu_moe` (of so many layers the
    experts stay with the processor) act when a model is loaded; a loaded one is not reloaded for them.
    `num_keep` acts where a full context shifts. `num_batch`, `use_mmap` and `draft_num_predict` are taken and have
    no effect. `regex`, `choice` and `grammar` (in Lark's syntax) are ollapy's own: what the answer must be. So is
    `adapters`: whose are used in place of the model's.
    """

    num_ctx: int | None = None
    num_batch: int | None = None
    num_gpu: int | None = None
    main_gpu: int | None = None
    tensor_split: tuple[float, ...] | None = None
    n_cpu_moe: int | None = None
    use_mmap: bool | None = None
    num_thread: int | None = None
    draft_num_predict: int | None = None
    num_keep: int | None = None
    seed: int | None = None
    num_predict: int | None = None
    think_budget: int | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repeat_last_n: int | None = None
    temperature: float | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] | None = None
    regex: str | None = None
    choice: tuple[str, ...] | None = None
    grammar: str | None = None
    adapters: tuple[AdapterChoice, ...] | None = None

    @classmethod
    def parse(cls, *layers: Mapping[str, object]) -> Options:
        """The options of the layers, later ones winning; null is unset, unknown names are logged."""
        given = {k: v for layer in layers for k, v in layer.items() if v is not None}
        if strangers := given.keys() - _KINDS.keys():
            told = sorted(name[:_MAX_NAME] for name in strangers)[:_MAX_TOLD]
            logger.warning("options ignored names=%s", ", ".join(told))
        known = {name: kind for name, kind in _KINDS.items() if name in given}
        values = {n: _convert(n, kind, given[n]) for n, kind in known.items()}
        return converted(values, cls)

    def sampling(
        self, *, logprobs: int | None = None, prompt_logprobs: int | None = None
    ) -> SamplingParams:
        """These options as the sampler takes them."""
        given = {f: v for f in _RANGES if (v := getattr(self, f)) is not None}
        clamped = {
            f: type(v)(min(max(v, _RANGES[f][0]), _RANGES[f][1]))
            for f, v in given.items()
        }
        return SamplingParams(
            **clamped,
            seed=None if self.seed is None or self.seed < 0 else self.seed % 2**32,
            stop=self.stop or (),
            max_tokens=None
            if self.num_predict is None or self.num_predict < 0
            else self.num_predict,
            logprobs=logprobs,
            prompt_logprobs=prompt_logprobs,
        )


_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 1e4),
    "top_k": (0, _MAX_INT),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "typical_p": (0.0, 1.0),
    "repeat_last_n": (-1, _MAX_INT),
    "repeat_penalty": (0.01, 100.0),
    "presence_penalty": (-100.0, 100.0),
    "frequency_penalty": (-100.0, 100.0),
}


_WORDS = {
    "int": "integer",
    "float": "float32",
    "bool": "boolean",
    "str": "string",
    "tuple[float, ...]": "numbers",
    "tuple[AdapterChoice, ...]": "adapters",
}


def _kind(annotation: str) -> str:
    word = annotation.split(" | ")[0]
    return _WORDS.get(word, "array")


_KINDS = {
    name: _kind(str(annotation)) for name, annotation in Options.__annotations__.items()
}


def _convert(name: str, kind: str, value: object) -> object:
    """The value as its option's type, as leniently as Go's JSON: 42.0 is an integer, true is not."""
    number = (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and (isinstance(value, int) or math.isfinite(value))
    )
    match kind, value:
        case "integer", int() | float() if number:
            return int(
                min(max(value, -_MAX_INT - 1), _MAX_INT if name != "seed" else 2**53)
            )
        case "float32", int() | float() if number:
            return _float(value)
        case ("boolean", bool()) | ("string", str()):
            return value
        case "adapters", _:
            return _adapters(value)
        case "numbers", list() | tuple():
            return _numbers(name, value)
        case "array", list() | tuple():
            texts = _texts(name, value)
            return _stops(texts) if name == "stop" else texts
    told = {"numbers": "array"}.get(kind, kind)
    raise InvalidRequest(f'option "{name}" must be of type {told}')


def _float(value: float) -> float:
    """Also of an integer that is beyond all floats."""
    return float(min(max(value, -_MAX_FLOAT), _MAX_FLOAT))


def _adapters(value: object) -> tuple[AdapterChoice, ...]:
    try:
        return converted(value, tuple[AdapterChoice, ...])
    except msgspec.ValidationError as exc:
        raise InvalidRequest(
            'option "adapters" must be an array of objects with "model", the name of a stored model, and maybe '
            f'"scale", a number: {exc}'
        ) from exc


def _texts(name: str, value: list[object] | tuple[object, ...]) -> tuple[str, ...]:
    texts = tuple(item for item in value if isinstance(item, str))
    if len(texts) != len(value):
        raise InvalidRequest(f'option "{name}" must be of an array of strings')
    return texts


def _numbers(name: str, value: list[object] | tuple[object, ...]) -> tuple[float, ...]:
    """Some that are none below 0, and no more than there can be devices."""
    numbers = tuple(
        _float(item)
        for item in value
        if isinstance(item, int | float)
        and not isinstance(item, bool)
        and 0 <= item < math.inf
    )
    if len(numbers) != len(value) or len(numbers) > MAX_SHARES:
        raise InvalidRequest(
            f'option "{name}" must be an array of at most {MAX_SHARES} numbers from 0'
        )
    return numbers


def _stops(stops: tuple[str, ...]) -> tuple[str, ...]:
    if len(stops) > MAX_STOPS or any(len(s.encode()) > MAX_STOP_BYTES for s in stops):
        raise InvalidRequest(
            f'option "stop" takes at most {MAX_STOPS} strings of {MAX_STOP_BYTES} bytes'
        )
    return tuple(s for s in stops if s)
