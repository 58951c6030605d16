"""How a model is best computed on a machine, as it was measured there, and wire types of `/api/tune`."""

from __future__ import annotations

import msgspec

from .ollama import Request


class Tuning(msgspec.Struct, frozen=True, omit_defaults=True):
    """Threads for one token and for many, tokens of a prompt that are computed as one, the kind of attention.

    0 or None leaves it as it is where nothing was measured.
    """

    num_threads: int = 0
    num_prompt_threads: int = 0
    num_ubatch: int = 0
    flash_attention: bool | None = None


class Trial(msgspec.Struct, frozen=True):
    """A way to compute, and how many tokens a second were read and generated so."""

    tuning: Tuning
    read: float
    generated: float


class TuneRequest(Request, frozen=True):
    """`POST /api/tune`."""

    model: str = ""


class TuneResponse(msgspec.Struct, frozen=True):
    """What was chosen of what was tried; the model is loaded with it from now on.

    `others` is the share of the processor's time that other programs took meanwhile: with much of it another way
    may be the best when they rest.
    """

    model: str
    tuning: Tuning
    trials: list[Trial]
    others: float = 0.0
