"""What a Hugging Face model computes, written plainly in numpy: the definition that conversion is held to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.hugging_face import Tensors

Floats = NDArray[np.float64]


class Reference:
    """The logits of every token of a text, in double precision."""

    def __init__(self, config: Mapping[str, Any], tensors: Tensors) -> None:
        self._config = config
        self._tensors = {n: t.astype(np.float64) for n, t in tensors.items()}
        self._architecture: str = config["architectures"][0]
        self._is_gemma = self._architecture.startswith("Gemma")
        self._has_post_norms = self._architecture.startswith(("Gemma2", "Gemma3"))
        heads = config["num_attention_heads"]
        self._head = config.get("head_dim") or config["hidden_size"] // heads

    def logits(self, tokens: list[int]) -> Floats:
        embeddings = self._tensors["model.embed_tokens.weight"]
        x = embeddings[tokens]
        if self._is_gemma:
            x = x * np.sqrt(self._config["hidden_size"])
        for layer in range(self._config["num_hidden_layers"]):
            x = self._layer(f"model.layers.{layer}.", layer, x)
        output = self._tensors.get("lm_head.weight", embeddings)
        logits = self._norm("model.norm", x) @ output.T
        return _capped(logits, self._config.get("final_logit_softcapping"))

    def _layer(self, at: str, layer: int, x: Floats) -> Floats:
        attended = self._attention(at, layer, self._norm(at + "input_layernorm", x))
        if not self._has_post_norms:
            x = x + attended
            return x + self._mixed(at, self._norm(at + "post_attention_layernorm", x))
        x = x + self._norm(at + "post_attention_layernorm", attended)
        fed = self._mixed(at, self._norm(at + "pre_feedforward_layernorm", x))
        return x + self._norm(at + "post_feedforward_layernorm", fed)

    def _norm(self, name: str, x: Floats) -> Floats:
        weight = self._tensors[name + ".weight"] + float(self._is_gemma)
        mean = np.mean(x * x, axis=-1, keepdims=True)
        normed: Floats = x / np.sqrt(mean + self._config["rms_norm_eps"]) * weight
        return normed

    def _linear(self, name: str, x: Floats) -> Floats:
        result: Floats = x @ self._tensors[name + ".weight"].T
        return result + self._tensors.get(name + ".bias", 0.0)

    def _attention(self, at: str, layer: int, x: Floats) -> Floats:
        q, k, v = (self._heads(at, part, x) for part in "qkv")
        q, k = self._rotated(q, layer), self._rotated(k, layer)
        group = q.shape[0] // k.shape[0]
        k, v = np.repeat(k, group, axis=0), np.repeat(v, group, axis=0)
        scale = self._config.get("query_pre_attn_scalar") or self._head
        scores = q @ k.swapaxes(1, 2) / np.sqrt(scale)
        scores = _capped(scores, self._config.get("attn_logit_softcapping"))
        weights = _softmax(np.where(self._seen(layer, len(x)), scores, -np.inf))
        joined = (weights @ v).swapaxes(0, 1).reshape(len(x), -1)
        return self._linear(at + "self_attn.o_proj", joined)

    def _heads(self, at: str, part: str, x: Floats) -> Floats:
        """Shape (heads, tokens, width of a head)."""
        rows = self._linear(f"{at}self_attn.{part}_proj", x)
        heads = rows.reshape(len(x), -1, self._head).swapaxes(0, 1)
        norm = f"{at}self_attn.{part}_norm"
        return self._norm(norm, heads) if norm + ".weight" in self._tensors else heads

    def _is_local(self, layer: int) -> bool:
        """Whether a layer has a sliding window."""
        if not self._has_post_norms:
            return False
        return bool((layer + 1) % self._config.get("sliding_window_pattern", 2))

    def _seen(self, layer: int, count: int) -> NDArray[np.bool_]:
        distance = np.arange(count)[:, None] - np.arange(count)[None, :]
        window = self._config["sliding_window"] if self._is_local(layer) else count
        return (distance >= 0) & (distance < window)

    def _rotated(self, x: Floats, layer: int) -> Floats:
        """The first half of each head turned against the second."""
        frequencies, strength = self._frequencies(layer)
        angles = np.arange(x.shape[1])[:, None] * frequencies[None, :]
        cos, sin = np.cos(angles) * strength, np.sin(angles) * strength
        first, second = np.split(x, 2, axis=-1)
        halves = (first * cos - second * sin, second * cos + first * sin)
        return np.concatenate(halves, axis=-1)

    def _frequencies(self, layer: int) -> tuple[Floats, float]:
        exponents = np.arange(0, self._head, 2) / self._head
        is_gemma3 = self._architecture.startswith("Gemma3")
        if is_gemma3 and self._is_local(layer):
            return self._config["rope_local_base_freq"] ** -exponents, 1.0
        frequencies: Floats = self._config["rope_theta"] ** -exponents
        scaling = self._config.get("rope_scaling") or {}
        match scaling.get("rope_type"):
            case "linear":
                return frequencies / scaling["factor"], 1.0
            case "llama3":
                return _llama3(frequencies, scaling), 1.0
            case "yarn":
                return _yarn(frequencies, scaling, self._config["rope_theta"])
        return frequencies, 1.0

    def _mixed(self, at: str, x: Floats) -> Floats:
        if at + "mlp.gate_proj.weight" in self._tensors:
            return self._gated(at + "mlp.", ("gate_proj", "up_proj", "down_proj"), x)
        names = ("gate_proj", "up_proj", "down_proj")
        where = at + "mlp."
        if "num_local_experts" in self._config:
            where, names = at + "block_sparse_moe.", ("w1", "w3", "w2")
        chances = _softmax(self._linear(where + "gate", x))
        used = self._config["num_experts_per_tok"]
        best = np.argsort(-chances, axis=-1)[:, :used]
        result = np.zeros_like(x)
        for row, chosen in enumerate(best):
            for expert in chosen:
                share = chances[row, expert] / chances[row, chosen].sum()
                one = x[row : row + 1]
                made = self._gated(f"{where}experts.{expert}.", names, one)
                result[row] += share * made[0]
        return result

    def _gated(self, at: str, names: tuple[str, str, str], x: Floats) -> Floats:
        gate, up, down = (at + name for name in names)
        activation = _gelu if self._is_gemma else _silu
        return self._linear(
            down, activation(self._linear(gate, x)) * self._linear(up, x)
        )


def _capped(x: Floats, cap: float | None) -> Floats:
    capped: Floats = x if cap is None else np.tanh(x / cap) * cap
    return capped


def _softmax(x: Floats) -> Floats:
    powers: Floats = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _silu(x: Floats) -> Floats:
    result: Floats = x / (1 + np.exp(-x))
    return result


def _gelu(x: Floats) -> Floats:
    result: Floats = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return result


def _llama3(frequencies: Floats, scaling: Mapping[str, Any]) -> Floats:
    original = scaling["original_max_position_embeddings"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    scaled = []
    for frequency in frequencies:
        wave = 2 * np.pi / frequency
        if wave < original / high:
            scaled.append(frequency)
        elif wave > original / low:
            scaled.append(frequency / scaling["factor"])
        else:
            smooth = (original / wave - low) / (high - low)
            slow = frequency / scaling["factor"]
            scaled.append((1 - smooth) * slow + smooth * frequency)
    return np.array(scaled)


def _yarn(
    frequencies: Floats, scaling: Mapping[str, Any], base: float
) -> tuple[Floats, float]:
    factor, size = scaling["factor"], len(frequencies)
    original = scaling["original_max_position_embeddings"]

    def dimension(turns: float) -> float:
        return float(size * np.log(original / (turns * 2 * np.pi)) / np.log(base))

    low = max(np.floor(dimension(32)), 0)
    high = min(np.ceil(dimension(1)), 2 * size - 1)
    ramp = np.clip((np.arange(size) - low) / max(high - low, 0.001), 0, 1)
    mixed = frequencies / factor * ramp + frequencies * (1 - ramp)
    return mixed, scaling.get("attention_factor") or 0.1 * float(np.log(factor)) + 1
