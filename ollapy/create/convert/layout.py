"""Layout: a family's hyperparameters in GGUF's words, and its tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ollapy.errors import InvalidModel, Unsupported
from ollapy.gguf.checks import MAX_EXPERTS, MAX_LAYERS, MAX_WIDTH
from ollapy.gguf.vocabulary import MAX_TOKENS

from .config import Config
from .families import Family, Recognised
from .metadata import Value
from .rope import Rope
from .weights import Weight, experts, weight

# Gemma's largest models divide by the width of a head as it were without `head_dim`
_LARGEST_GEMMAS = {"gemma2": 46, "gemma3": 62}


@dataclass(frozen=True)
class Sizes:
    """What the shapes of all tensors follow from."""

    vocab: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    ffn: int

    @classmethod
    def of(cls, config: Config) -> Sizes:
        width = config.count("hidden_size", most=MAX_WIDTH)
        heads = config.count("num_attention_heads", most=MAX_WIDTH)
        own = "num_key_value_heads" in config
        return cls(
            vocab=config.count("vocab_size", most=MAX_TOKENS),
            width=width,
            layers=config.count("num_hidden_layers", most=MAX_LAYERS),
            heads=heads,
            kv_heads=config.count("num_key_value_heads", most=heads) if own else heads,
            head=config.count("head_dim") if "head_dim" in config else width // heads,
            ffn=config.count("intermediate_size", most=MAX_WIDTH),
        )


class Layout:
    """One model's: raises Unsupported where llama.cpp would compute something else."""

    def __init__(self, recognised: Recognised) -> None:
        self.family: Family = recognised.family
        self._config = recognised.config
        self.sizes = Sizes.of(self._config)
        self.rope = Rope(self._config, head_width=self.sizes.head)
        _check_activation(self.family, self._config)
        if "query_pre_attn_scalar" in self._config:
            self._check_scale()

    def _check_scale(self) -> None:
        sizes, scale = self.sizes, self._config.number("query_pre_attn_scalar")
        is_largest = sizes.layers == _LARGEST_GEMMAS.get(self.family.architecture)
        expected = sizes.width // sizes.heads if is_largest else sizes.head
        if self.family.has_window and scale != expected:
            raise Unsupported(
                f"query_pre_attn_scalar of config.json is {scale:g}, and llama.cpp computes with {expected}"
            )

    @property
    def warnings(self) -> Iterator[str]:
        """What the converted model does not do as the original does."""
        uses_window = self._config.get("use_sliding_window") in (None, True)
        has_window = "sliding_window" in self._config and uses_window
        if has_window and not self.family.has_window:
            window = self._config.count("sliding_window")
            if window < self._config.count("max_position_embeddings"):
                yield f"all tokens are attended to, not only the last {window}"
        if self.rope.kind == "dynamic":
            yield "the dynamic rope scaling beyond the context length is left out"

    def metadata(self) -> dict[str, Value]:
        """The keys of the architecture, with its prefix."""
        config, sizes = self._config, self.sizes
        keys: dict[str, Value] = {
            "vocab_size": sizes.vocab,
            "context_length": config.count("max_position_embeddings"),
            "embedding_length": sizes.width,
            "block_count": sizes.layers,
            "feed_forward_length": sizes.ffn,
            "attention.head_count": sizes.heads,
            "attention.head_count_kv": sizes.kv_heads,
            "attention.key_length": sizes.head,
            "attention.value_length": sizes.head,
            "attention.layer_norm_rms_epsilon": config.number("rms_norm_eps"),
        }
        keys |= {f"rope.{name}": value for name, value in self.rope.metadata().items()}
        keys |= self._window_keys() | self._cap_keys() | self._expert_keys()
        return {f"{self.family.architecture}.{k}": value for k, value in keys.items()}

    def _window_keys(self) -> dict[str, Value]:
        if not self.family.has_window:
            return {}
        keys: dict[str, Value] = {
            "attention.sliding_window": self._config.count("sliding_window"),
            "attention.sliding_window_pattern": self._window_pattern(),
        }
        if "rope_local_base_freq" in self._config:
            keys["rope.freq_base_swa"] = self.rope.local_base()
        return keys

    def _window_pattern(self) -> int:
        """Every how many layers one sees everything."""
        kinds = self._config.get("layer_types")
        if kinds is None:
            return self._config.count("sliding_window_pattern", most=MAX_LAYERS)
        if not isinstance(kinds, list):
            raise InvalidModel("layer_types of config.json is not a list")
        is_full = [kind == "full_attention" for kind in kinds]
        period = is_full.index(True) + 1 if True in is_full else len(is_full) + 1
        if is_full != [n % period == 0 for n in range(1, self.sizes.layers + 1)]:
            raise Unsupported("layer_types of config.json does not repeat evenly")
        return period

    def _cap_keys(self) -> dict[str, Value]:
        """Gemma 2 keeps logits within bounds; where the file names none, it is unbounded."""
        names = {
            "attn_logit_softcapping": "gemma2",
            "final_logit_softcapping": self.family.architecture,
        }
        for name, architecture in names.items():
            if name in self._config and self.family.architecture != architecture:
                raise Unsupported(f"{name} of config.json is not supported")
        return {
            name: self._config.number(name) for name in names if name in self._config
        }

    def _expert_keys(self) -> dict[str, Value]:
        if not self.family.experts:
            return {}
        _check_experts(self._config)
        keys: dict[str, Value] = {
            "expert_count": self._num_experts,
            "expert_used_count": self._config.count(
                "num_experts_per_tok", most=self._num_experts
            ),
        }
        if "moe_intermediate_size" in self._config:
            keys["expert_feed_forward_length"] = self._expert_width
        return keys

    @property
    def _num_experts(self) -> int:
        either = ("num_local_experts", "num_experts")
        name = next((n for n in either if n in self._config), either[-1])
        return self._config.count(name, most=MAX_EXPERTS)

    @property
    def _expert_width(self) -> int:
        if "moe_intermediate_size" in self._config:
            return self._config.count("moe_intermediate_size", most=MAX_WIDTH)
        return self.sizes.ffn

    @property
    def is_tied(self) -> bool:
        """Whether the embeddings are the output matrix too."""
        tied = self._config.flag("tie_word_embeddings")
        if not tied and not self.family.has_own_output:
            raise Unsupported("tie_word_embeddings of config.json must be true")
        return tied

    def weights(self) -> list[Weight]:
        """All tensors of the file that are made of the model's own."""
        vocab, width = self.sizes.vocab, self.sizes.width
        block = [*self._attention(), *self._feed_forward(), *self._norms()]
        output = [] if self.is_tied else [weight("output", "lm_head", vocab, width)]
        return [
            weight("token_embd", "model.embed_tokens", vocab, width),
            *(w.in_block(n) for n in range(self.sizes.layers) for w in block),
            self._norm("output_norm", "model.norm", width),
            *output,
        ]

    def _attention(self) -> Iterator[Weight]:
        sizes, turned = self.sizes, self.family.turns_neighbours
        parts = (
            ("q", sizes.heads, sizes.heads if turned else 0),
            ("k", sizes.kv_heads, sizes.kv_heads if turned else 0),
            ("v", sizes.kv_heads, 0),
        )
        may_have_bias = self.family.may_have_bias and self._config.flag(
            "attention_bias"
        )
        for part, num_heads, turned_heads in parts:
            name, source = f"attn_{part}", f"self_attn.{part}_proj"
            rows = num_heads * sizes.head
            yield weight(name, source, rows, sizes.width, heads=turned_heads)
            if self.family.has_qkv_bias or may_have_bias:
                yield weight(f"{name}.bias", f"{source}.bias", rows, heads=turned_heads)
            if self.family.has_head_norms and part != "v":
                yield self._norm(f"{name}_norm", f"self_attn.{part}_norm", sizes.head)
        source = "self_attn.o_proj"
        yield weight("attn_output", source, sizes.width, sizes.heads * sizes.head)
        if may_have_bias:
            yield weight("attn_output.bias", f"{source}.bias", sizes.width)

    def _feed_forward(self) -> Iterator[Weight]:
        width, ffn = self.sizes.width, self.sizes.ffn
        if self.family.experts:
            yield from self._experts()
            return
        has_bias = self.family.may_have_bias and self._config.flag("mlp_bias")
        for part, rows, columns in (
            ("gate", ffn, width),
            ("down", width, ffn),
            ("up", ffn, width),
        ):
            yield weight(f"ffn_{part}", f"mlp.{part}_proj", rows, columns)
            if has_bias:
                yield weight(f"ffn_{part}.bias", f"mlp.{part}_proj.bias", rows)

    def _experts(self) -> Iterator[Weight]:
        count, width, ffn = self._num_experts, self.sizes.width, self._expert_width
        router = weight("ffn_gate_inp", self.family.router, count, width)
        yield replace(router, precise=True)
        shapes = {"gate": (ffn, width), "down": (width, ffn), "up": (ffn, width)}
        for (name, shape), part in zip(
            shapes.items(), self.family.expert_parts, strict=True
        ):
            source = f"{self.family.experts}.{part}"
            yield experts(f"ffn_{name}_exps", source, count, *shape)

    def _norms(self) -> Iterator[Weight]:
        names = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
        if self.family.has_post_norms:
            names = {
                "attn_norm": "input_layernorm",
                "post_attention_norm": "post_attention_layernorm",
                "ffn_norm": "pre_feedforward_layernorm",
                "post_ffw_norm": "post_feedforward_layernorm",
            }
        for name, source in names.items():
            yield self._norm(name, source, self.sizes.width)

    def _norm(self, name: str, source: str, size: int) -> Weight:
        return weight(name, source, size, shift=self.family.norm_shift)


def _check_activation(family: Family, config: Config) -> None:
    """Gemma's newer name counts over the older one."""
    name = "hidden_activation" if "hidden_activation" in config else "hidden_act"
    if (found := config.text(name)) not in family.activations:
        raise Unsupported(
            f"{name} of config.json is {found}, not {family.activations[0]}"
        )


def _check_experts(config: Config) -> None:
    if config.get("decoder_sparse_step") not in (None, 1) or config.get(
        "mlp_only_layers"
    ):
        raise Unsupported(
            "a model with experts in some of its layers only is not supported"
        )
    if config.get("norm_topk_prob") is False:
        raise Unsupported("norm_topk_prob of config.json must be true")
