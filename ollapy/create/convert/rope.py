"""Positions: how Hugging Face's rope settings are said in GGUF."""

from __future__ import annotations

from math import isclose, log, pi

import numpy as np
import numpy.typing as npt

from ollapy.errors import Unsupported

from .config import Config

Factors = npt.NDArray[np.float32]


class Rope:
    """The rotation of all layers but those with a sliding window, which have their own base.

    Newer files say it in `rope_parameters`, for each kind of layer where they differ; older ones in
    `rope_theta` and `rope_scaling`.
    """

    def __init__(self, config: Config, *, head_width: int) -> None:
        self._config = config
        self._head_width = head_width
        given = config.part("rope_parameters")
        full = given.part("full_attention") if given else None
        empty = Config({})
        self._scaling = full or given or config.part("rope_scaling") or empty
        self._local = (given.part("sliding_attention") if given else None) or empty
        self._base = (
            self._scaling if "rope_theta" in self._scaling else config
        ).number("rope_theta")
        for place in (config, self._scaling):
            if place.get("partial_rotary_factor") not in (None, 1):
                raise Unsupported(
                    "partial_rotary_factor of config.json is not supported"
                )

    @property
    def kind(self) -> str:
        for name in ("rope_type", "type"):
            if name in self._scaling:
                return self._scaling.text(name)
        return "default"

    def local_base(self) -> float:
        """The base of the layers with a sliding window, where they have one of their own."""
        if "rope_theta" in self._local:
            return self._local.number("rope_theta")
        return self._config.number("rope_local_base_freq")

    def metadata(self) -> dict[str, int | float | str]:
        """The keys below the architecture's `rope.`"""
        keys: dict[str, int | float | str] = {
            "freq_base": self._base,
            "dimension_count": self._head_width,
        }
        match self.kind:
            case "default" | "llama3" | "dynamic":
                # dynamic changes nothing within the context length, beyond which no answer goes
                return keys
            case "linear":
                factor = self._scaling.number("factor")
                return keys | {"scaling.type": "linear", "scaling.factor": factor}
            case "yarn":
                return keys | self._yarn()
        raise Unsupported(f"the rope scaling {self.kind!r} is not supported")

    def _yarn(self) -> dict[str, int | float | str]:
        factor = self._scaling.number("factor")
        for name, fixed in (("beta_fast", 32), ("beta_slow", 1)):
            if name in self._scaling and self._scaling.number(name) != fixed:
                raise Unsupported(f"{name} of config.json must be {fixed} for yarn")
        if "mscale" in self._scaling or "mscale_all_dim" in self._scaling:
            raise Unsupported("mscale of config.json is not supported for yarn")
        if self._scaling.get("truncate") is False:
            raise Unsupported("truncate of config.json must be true for yarn")
        keys: dict[str, int | float | str] = {
            "scaling.type": "yarn",
            "scaling.factor": factor,
            "scaling.original_context_length": self._original_length(),
        }
        if "attention_factor" in self._scaling:
            usual = 0.1 * log(factor) + 1 if factor > 1 else 1.0
            ratio = self._scaling.number("attention_factor") / usual
            if not isclose(ratio, 1):
                keys["scaling.attn_factor"] = ratio
        return keys

    def _original_length(self) -> int:
        name = "original_max_position_embeddings"
        if name in self._scaling:
            return self._scaling.count(name)
        return self._config.count("max_position_embeddings")

    def factors(self) -> Factors | None:
        """What llama3 divides each frequency by: long waves by `factor`, short ones by 1, smoothly between."""
        if self.kind != "llama3":
            return None
        scaling = self._scaling
        low, high = (
            scaling.number("low_freq_factor"),
            scaling.number("high_freq_factor"),
        )
        if low >= high:
            raise Unsupported("low_freq_factor is not below high_freq_factor")
        exponents = np.arange(0, self._head_width, 2) / self._head_width
        waves = 2 * pi * self._base**exponents
        turns = self._original_length() / waves
        smooth = np.clip((turns - low) / (high - low), 0, 1)
        factor = scaling.number("factor")
        factors: Factors = (1 / ((1 - smooth) / factor + smooth)).astype(np.float32)
        return factors
