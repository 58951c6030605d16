"""Sampling: how the tokens of an answer are to be chosen and told."""

from __future__ import annotations

import logging

import msgspec

from ollapy.api.ollama import InferenceRequest
from ollapy.api.options import Options, SamplingParams
from ollapy.errors import InvalidRequest, OutOfRange

logger = logging.getLogger(__name__)

_MAX_LOGPROBS = 20
_MAX_BIAS = 100.0


def sampling(
    request: InferenceRequest, chosen: Options, *, has_grammar: bool
) -> SamplingParams:
    """The sampler's parameters. A grammar says itself where the answer ends, and what a stop string cuts is not it."""
    if has_grammar and (request.options or {}).get("stop"):
        logger.info("option ignored name=stop: the answer must be of a grammar")
    params = chosen.sampling(
        logprobs=(request.top_logprobs or 0) if request.logprobs else None,
        prompt_logprobs=request.prompt_logprobs,
    )
    return msgspec.structs.replace(
        params,
        logit_bias=_bias(request.logit_bias or {}),
        stop=() if has_grammar else params.stop,
    )


def check_logprobs(request: InferenceRequest) -> None:
    """OutOfRange where more rivals of a token are wanted than are told."""
    for name in ("top_logprobs", "prompt_logprobs"):
        if not 0 <= (getattr(request, name) or 0) <= _MAX_LOGPROBS:
            raise OutOfRange(name, 0, _MAX_LOGPROBS)


def _bias(given: dict[str, float]) -> dict[int, float]:
    """What to add to the logits of tokens, a hundred at most."""
    try:
        return {
            int(token): min(max(value, -_MAX_BIAS), _MAX_BIAS)
            for token, value in given.items()
        }
    except ValueError:
        raise InvalidRequest(
            "logit_bias must name tokens by their numbers in the model's vocabulary"
        ) from None
