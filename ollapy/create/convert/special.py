"""Special tokens: which begin and end a text and a turn, what is added to a prompt, and the chat template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ollapy.errors import InvalidModel
from ollapy.gguf.vocabulary import MAX_TEMPLATE, MAX_TEMPLATES

from .config import Config
from .folder import MAX_TOKENIZER, Folder
from .metadata import Value
from .tokenizer_json import TokenizerJson
from .vocabulary import Vocabulary

_KINDS = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
# What llama.cpp takes for an end by its text alone; only one other can be named.
_KNOWN_ENDS = {
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<end_of_turn>",
    "<EOT>",
    "</s>",
    "<eos>",
}
_DEEPSEEK = "<\uff5cfim▁{}\uff5c>"
_INFILL = {
    "fim_pre": ("<|fim_prefix|>", "<fim_prefix>", "▁<PRE>", _DEEPSEEK.format("begin")),
    "fim_suf": ("<|fim_suffix|>", "<fim_suffix>", "▁<SUF>", _DEEPSEEK.format("hole")),
    "fim_mid": ("<|fim_middle|>", "<fim_middle>", "▁<MID>", _DEEPSEEK.format("end")),
}
_TEMPLATE_NAME = re.compile(r"[a-z0-9_]{1,40}")


class Specials:
    """What the files beside the vocabulary say of single tokens."""

    def __init__(self, folder: Folder, config: Config, vocabulary: Vocabulary) -> None:
        self._folder = folder
        self._config = config
        self._generation = folder.json("generation_config.json", dict[str, Any]) or {}
        self._settings = (
            folder.json("tokenizer_config.json", dict[str, Any], limit=MAX_TOKENIZER)
            or {}
        )
        named = folder.json("special_tokens_map.json", dict[str, Any]) or {}
        self._named = {**named, **{k: v for k, v in self._settings.items() if v}}
        self._tokens = vocabulary.tokens
        self._ids = {text: n for n, text in enumerate(self._tokens)}

    def metadata(self, tokenizer: TokenizerJson | None) -> dict[str, Value]:
        keys = {f"{_KINDS[kind]}_token_id": self._id(kind) for kind in _KINDS}
        keys["eot_token_id"] = self._end_of_turn(keys["eos_token_id"])
        keys |= {
            f"{mark}_token_id": self._first(texts) for mark, texts in _INFILL.items()
        }
        found: dict[str, Value] = {n: i for n, i in keys.items() if i is not None}
        for kind in ("bos", "eos"):
            adds = self._adds(kind, tokenizer)
            if adds is not None:
                found[f"add_{kind}_token"] = adds
        return {f"tokenizer.ggml.{name}": value for name, value in found.items()}

    def _id(self, kind: str) -> int | None:
        """By the token's text, as the tokenizer's own files say it; else the number in config.json."""
        text = _text(self._named.get(f"{kind}_token"))
        if text in self._ids:
            return self._ids[text]
        for number in (
            self._config.get(f"{kind}_token_id"),
            self._generation.get(f"{kind}_token_id"),
        ):
            for one in number if isinstance(number, list) else [number]:
                if (token := self._token(one)) is not None:
                    return token
        return None

    def _token(self, number: Any) -> int | None:
        is_one = type(number) is int and 0 <= number < len(self._tokens)
        return number if is_one else None

    def _end_of_turn(self, eos: int | None) -> int | None:
        """Another end that generation_config.json names, if llama.cpp would not know it by its text."""
        ends = self._generation.get("eos_token_id")
        for end in map(self._token, ends if isinstance(ends, list) else [ends]):
            if end not in (None, eos) and self._tokens[end] not in _KNOWN_ENDS:
                return end
        return None

    def _first(self, texts: tuple[str, ...]) -> int | None:
        return next((self._ids[text] for text in texts if text in self._ids), None)

    def _adds(self, kind: str, tokenizer: TokenizerJson | None) -> bool | None:
        said = self._settings.get(f"add_{kind}_token")
        if isinstance(said, bool):
            return said
        if tokenizer:
            return _text(self._named.get(f"{kind}_token")) in _surrounding(
                tokenizer.post_processor or {}
            )
        return kind == "bos"  # as SentencePiece's models are used

    def templates(self) -> dict[str, Value]:
        """The chat template and those for other uses; a file counts before the settings."""
        found = _by_name(self._settings.get("chat_template"))
        file = self._folder.text("chat_template.jinja", limit=MAX_TEMPLATE)
        if file is not None:
            found["default"] = file
        others = sorted(name for name in found if name != "default")
        keys: dict[str, Value] = {
            f"tokenizer.chat_template.{n}": found[n] for n in others
        }
        if others:
            keys["tokenizer.chat_templates"] = others
        if "default" in found:
            keys["tokenizer.chat_template"] = found["default"]
        return keys


def _text(token: Any) -> str | None:
    """A token's text, which is written alone or in a table with how it is found."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _surrounding(step: Mapping[str, Any]) -> set[str | None]:
    """The tokens that a post-processor puts around a single text."""
    inner = step.get("processors")
    if isinstance(inner, list):
        return set().union(*(_surrounding(s) for s in inner if isinstance(s, dict)))
    single = step.get("single")
    if step.get("type") != "TemplateProcessing" or not isinstance(single, list):
        return set()
    tokens = (part.get("SpecialToken") for part in single if isinstance(part, dict))
    return {_text(token.get("id")) for token in tokens if isinstance(token, dict)}


def _by_name(templates: Any) -> dict[str, str]:
    if templates is None:
        return {}
    if isinstance(templates, str):
        return {"default": templates}
    found = {}
    for entry in templates if isinstance(templates, list) else [templates]:
        match entry:
            case {"name": str(name), "template": str(text)} if _TEMPLATE_NAME.fullmatch(
                name
            ):
                found[name] = text
            case _:
                raise InvalidModel(
                    "chat_template of tokenizer_config.json cannot be read"
                )
    if len(found) > MAX_TEMPLATES:
        raise InvalidModel("tokenizer_config.json has too many chat templates")
    return found
