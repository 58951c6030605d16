"""Vocabulary: the tokens of one loaded file, and texts as tokens."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

from ollapy.errors import InvalidRequest, PromptTooLong

from .library import held, raw
from .metadata import metadata

_is_eog = held("llama_vocab_is_eog")
_piece = held("llama_token_to_piece")
_attributes = held("llama_vocab_get_attr")
# LLAMA_TOKEN_ATTR_: unknown, unused, control
_NO_TEXT = 1 << 0 | 1 << 1 | 1 << 3
# bytes; far beyond what a context of text holds
_MIN_TEXT, _TEXT_PER_TOKEN = 1 << 20, 64


class Vocabulary:
    """Tokenising may happen on any thread; the pieces on one at a time. Lives as long as its model."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._vocab = raw.llama_model_get_vocab(model)
        self.num_tokens: int = raw.llama_vocab_n_tokens(self._vocab)
        self.adds_bos: bool = raw.llama_vocab_get_add_bos(self._vocab)
        self.adds_end: bool = raw.llama_vocab_get_add_eos(
            self._vocab
        ) or raw.llama_vocab_get_add_sep(self._vocab)
        self._num_ctx_train: int = raw.llama_model_n_ctx_train(model)
        self._pieces: dict[int, bytes] = {}
        self._controls: dict[int, bool] = {}

    @property
    def decoder_start(self) -> int:
        """The token that an encoder's decoder begins with."""
        token: int = raw.llama_model_decoder_start_token(self._model)
        return token if token >= 0 else raw.llama_vocab_bos(self._vocab)

    @property
    def suppressed_tokens(self) -> list[int]:
        """Tokens that the file says must never be generated."""
        count = ctypes.c_int32()
        tokens = raw.llama_vocab_get_suppress_tokens(self._vocab, ctypes.byref(count))
        return tokens[: count.value] if count.value else []

    @property
    def joints(self) -> tuple[list[int], list[int], list[int]]:
        """The tokens before, between and after two texts that a cross-encoder reads as one."""
        eos, sep = raw.llama_vocab_eos(self._vocab), raw.llama_vocab_sep(self._vocab)
        bos = [raw.llama_vocab_bos(self._vocab)] if self.adds_bos else []
        end, part = [eos if eos >= 0 else sep], [sep]
        end = end if raw.llama_vocab_get_add_eos(self._vocab) else []
        part = part if raw.llama_vocab_get_add_sep(self._vocab) else []
        return bos, [*end, *part], end or part

    def tokenize(
        self, text: str, *, special: bool = True, begins: bool = True
    ) -> list[int]:
        """Token ids; `special` reads control tokens in the text, `begins` adds what the model puts around one.

        That is its BOS, where it has one, and for models that make vectors an end.
        """
        data = text.encode("utf-8", "replace")
        # reading it would take seconds and gigabytes, to find it too long
        if len(data) > max(_MIN_TEXT, _TEXT_PER_TOKEN * self._num_ctx_train):
            raise PromptTooLong(
                f"the prompt has {len(data)} bytes, far more than the context length of {self._num_ctx_train} tokens"
            )
        capacity = len(data) + 8
        while True:
            buffer = (raw.llama_token * capacity)()
            count = raw.llama_tokenize(
                self._vocab, data, len(data), buffer, capacity, begins, special
            )
            if count >= 0:
                return list(buffer[:count])
            capacity = -count

    def checked(self, name: str, tokens: Iterable[int]) -> list[int]:
        """Tokens from outside, of that name there; one that does not exist would fail the whole batch."""
        found = list(tokens)
        if not all(0 <= token < self.num_tokens for token in found):
            raise InvalidRequest(
                f"{name} holds a token that is not in the model's vocabulary"
            )
        return found

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for, often only part of a character; control tokens too."""
        found = self._pieces.get(token)
        if found is None:
            found = self._pieces[token] = self._read_piece(token)
        return found

    def is_text(self, token: int) -> bool:
        """Whether a token stands for text, and not for what structures it."""
        return not _attributes(self._vocab, token) & _NO_TEXT

    @property
    def pieces(self) -> list[bytes]:
        """The bytes of all tokens, read anew: 0.2 s for a large vocabulary."""
        return [self._read_piece(token) for token in range(self.num_tokens)]

    def _read_piece(self, token: int) -> bytes:
        if not 0 <= token < self.num_tokens:  # the library would abort
            raise InvalidRequest(f"token {token} is not in the vocabulary")
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = _piece(self._vocab, token, buffer, size, 0, True)
            if count >= 0:
                return buffer.raw[:count]
            size = -count

    def is_control(self, token: int) -> bool:
        """Whether a token stands for no text: it structures conversations."""
        found = self._controls.get(token)
        if found is None:
            found = self._controls[token] = not self.is_text(token)
        return found

    def control_texts(self, tokens: Iterable[int]) -> set[str]:
        """The texts of the control tokens among these."""
        controls = filter(self.is_control, set(tokens))
        return {self.piece(token).decode("utf-8", "replace") for token in controls}

    def controls_in(self, texts: Iterable[str]) -> frozenset[int]:
        """The control tokens that these texts are written with."""
        tokens = (t for text in texts for t in self.tokenize(text, begins=False))
        return frozenset(filter(self.is_control, tokens))

    def is_end(self, token: int) -> bool:
        """Whether the model says with this token that it has finished."""
        return bool(_is_eog(self._vocab, token))

    def infill(self, prefix: str, suffix: str) -> list[int] | None:
        """The tokens that ask for what is missing between two texts; None where the vocabulary has no marks for it.

        What llama.cpp knows goes prefix first, as its server does it; Codestral was trained the other way round.
        """
        bos = [raw.llama_vocab_bos(self._vocab)] if self.adds_bos else []
        before, after = (
            self.tokenize(t, special=False, begins=False) for t in (prefix, suffix)
        )
        marks = (
            raw.llama_vocab_fim_pre,
            raw.llama_vocab_fim_suf,
            raw.llama_vocab_fim_mid,
        )
        first, second, last = (mark(self._vocab) for mark in marks)
        if min(first, second, last) >= 0:
            return [*bos, first, *before, second, *after, last]
        own = [self.tokenize(text, begins=False) for text in ("[PREFIX]", "[SUFFIX]")]
        if all(len(tokens) == 1 for tokens in own):
            return [*bos, *own[1], *after, *own[0], *before]
        return None

    def special_text(self, kind: str) -> str:
        """The text of the file's `bos` or `eos` token, empty where it declares none.

        Asked of the metadata: the library answers with an old tokenizer's default instead of none.
        """
        token = metadata(self._model, f"tokenizer.ggml.{kind}_token_id")
        return self.piece(int(token)).decode("utf-8", "replace") if token else ""
