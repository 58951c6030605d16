"""Model: the weights and vocabulary of one loaded file."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

from ollapy.api.engine import Place
from ollapy.errors import InvalidRequest, LoadFailed, PromptTooLong

from .devices import Placed
from .library import held, log, raw

_ON_CPU = Place()
_READ_NOTHING = 0  # LLAMA_LOAD_MODE_NONE
_is_eog = held("llama_vocab_is_eog")
_piece = held("llama_token_to_piece")
_attributes = held("llama_vocab_get_attr")
# LLAMA_ROPE_TYPE_: MROPE and IMROPE
_GRIDS = (8, 40)
# LLAMA_TOKEN_ATTR_: unknown, unused, control
_NO_TEXT = 1 << 0 | 1 << 1 | 1 << 3
_MAX_SEQUENCES, _MAX_STATES = 256, 16
# bytes; far beyond what a context of text holds
_MIN_TEXT, _TEXT_PER_TOKEN = (
    1 << 20,
    64,
)
# Architectures whose tokens see those after them too, whatever the file says.
_BOTH_WAYS = {
    "bert",
    "dream",
    "eurobert",
    "gemma-embedding",
    "jina-bert-v2",
    "jina-bert-v3",
    "llada",
    "llada-moe",
    "modern-bert",
    "neo-bert",
    "nomic-bert",
    "nomic-bert-moe",
    "rnd1",
    "t5",
    "t5encoder",
    "wavtokenizer-dec",
}


class Pooling(IntEnum):
    """What becomes of a text's tokens: a vector, or with RANK scores. The numbers are llama.cpp's."""

    MEAN = 1
    CLS = 2
    LAST = 3
    RANK = 4


class Model:
    """Weights on their devices. Tokenising may happen on any thread; the pieces on one at a time."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self._vocab = raw.llama_model_get_vocab(handle)
        self.num_vocab: int = raw.llama_vocab_n_tokens(self._vocab)
        self.num_ctx_train: int = raw.llama_model_n_ctx_train(handle)
        self.adds_bos: bool = raw.llama_vocab_get_add_bos(self._vocab)
        self.adds_end: bool = raw.llama_vocab_get_add_eos(
            self._vocab
        ) or raw.llama_vocab_get_add_sep(self._vocab)
        self._pieces: dict[int, bytes] = {}
        self._controls: dict[int, bool] = {}

    def metadata(self, key: str) -> str | None:
        """A scalar of the file's metadata as text; None where absent, and for arrays."""
        size = raw.llama_model_meta_val_str(self.handle, key.encode(), None, 0)
        if size < 0:
            return None
        buffer = ctypes.create_string_buffer(size + 1)
        raw.llama_model_meta_val_str(self.handle, key.encode(), buffer, size + 1)
        return buffer.value.decode("utf-8", "replace")

    def hyperparameter(self, name: str) -> str | None:
        """A value that the file keeps under its architecture's name."""
        return self.metadata(f"{self.metadata('general.architecture')}.{name}")

    @property
    def is_embedding(self) -> bool:
        """Whether the model makes vectors and no text."""
        return (
            self.hyperparameter("pooling_type") is not None
            or self.hyperparameter("attention.causal") == "false"
        )

    @property
    def pooling(self) -> Pooling:
        """How the model makes vectors: by the mean where the file names no way."""
        declared = self.hyperparameter("pooling_type")
        return Pooling(int(declared)) if declared in set("1234") else Pooling.MEAN

    @property
    def is_causal(self) -> bool:
        """Whether a token sees only those before it, so that a long text can be read in parts."""
        return not (
            self.metadata("general.architecture") in _BOTH_WAYS
            or self.hyperparameter("attention.causal") == "false"
        )

    @property
    def pools_last(self) -> bool:
        """Whether a vector is made of a text's last token alone, which has seen all others."""
        return self.is_causal and self.pooling in (Pooling.LAST, Pooling.RANK)

    @property
    def has_state(self) -> bool:
        """Whether a state stands for all tokens before, which cannot be cut back: recurrent and hybrid."""
        return bool(
            raw.llama_model_is_recurrent(self.handle)
            or raw.llama_model_is_hybrid(self.handle)
        )

    @property
    def has_grid(self) -> bool:
        """Whether a position has a row and a column (M-RoPE), for the cells of pictures."""
        return raw.llama_model_rope_type(self.handle) in _GRIDS

    @property
    def has_encoder(self) -> bool:
        """Whether the prompt goes to an encoder, and a decoder answers (T5)."""
        return bool(
            raw.llama_model_has_encoder(self.handle)
            and raw.llama_model_has_decoder(self.handle)
        )

    @property
    def max_sequences(self) -> int:
        """How many sequences are worth holding at once, for what each takes besides cells.

        A recurrent state or a window's cells are reserved for every one of them, and llama.cpp keeps
        one encoder's output at a time.
        """
        if self.has_encoder:
            return 1
        has_window = raw.llama_model_n_swa(self.handle) > 0
        return _MAX_STATES if self.has_state or has_window else _MAX_SEQUENCES

    @property
    def decoder_start(self) -> int:
        """The token that an encoder's decoder begins with."""
        token: int = raw.llama_model_decoder_start_token(self.handle)
        return token if token >= 0 else raw.llama_vocab_bos(self._vocab)

    @property
    def suppressed_tokens(self) -> list[int]:
        """Tokens that the file says must never be generated."""
        count = ctypes.c_int32()
        tokens = raw.llama_vocab_get_suppress_tokens(self._vocab, ctypes.byref(count))
        return tokens[: count.value] if count.value else []

    @property
    def chat_template(self) -> str | None:
        """The Jinja source that the file carries."""
        source = raw.llama_model_chat_template(self.handle, None)
        return source.decode("utf-8", "replace") if source else None

    @property
    def tools_template(self) -> str | None:
        """The one for conversations with tools: a variant of its own where the file has one."""
        source = raw.llama_model_chat_template(self.handle, b"tool_use")
        return source.decode("utf-8", "replace") if source else self.chat_template

    @property
    def rerank_template(self) -> str | None:
        """The text with `{query}` and `{document}` in it that a reranker's file may carry."""
        source = raw.llama_model_chat_template(self.handle, b"rerank")
        return source.decode("utf-8", "replace") if source else None

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
        most = max(_MIN_TEXT, _TEXT_PER_TOKEN * self.num_ctx_train)
        # reading it would take seconds and gigabytes, to find it too long
        if len(data) > most:
            raise PromptTooLong(
                f"the prompt has {len(data)} bytes, far more than the context length of {self.num_ctx_train} tokens"
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
        return [self._read_piece(token) for token in range(self.num_vocab)]

    def _read_piece(self, token: int) -> bytes:
        if not 0 <= token < self.num_vocab:  # the library would abort
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
        token = self.metadata(f"tokenizer.ggml.{kind}_token_id")
        return self.piece(int(token)).decode("utf-8", "replace") if token else ""


def _has_amx() -> bool:
    """Whether this CPU would take llama.cpp's AMX path, which a common compiler builds wrongly.

    ggml sets up its tile configuration in a local struct, and GCC 12's `_tile_loadconfig` claims to
    read only its first 8 bytes: the other stores are dropped and the first matrix product of a
    quantised model ends in SIGSEGV. Seen in 0.3.36 built by pip; repacked weights go with it.
    """
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "amx_int8" in cpuinfo.read_text()


@contextmanager
def open_model(
    parts: Sequence[Path],
    *,
    place: Place = _ON_CPU,
    on_progress: Callable[[float], None],
    is_dry: bool = False,
) -> Iterator[Model]:
    """The loaded model, freed at the end; LoadFailed with llama.cpp's own reason.

    `parts` are its files in order. `on_progress` is called with 0 to 1 on the loading thread. One that `is_dry`
    has no weights, and its contexts no memory: they are there to see how large they would be.
    """

    def report(progress: float, _data: object) -> bool:
        on_progress(progress)
        return True

    callback = raw.llama_progress_callback(report)  # referenced until the load is over
    params = raw.llama_model_default_params()
    placed = Placed(place)
    placed.apply(params)
    params.progress_callback = callback
    params.use_extra_bufts = not _has_amx()
    if is_dry:
        params.no_alloc, params.load_mode = True, _READ_NOTHING
    log.complaints.clear()
    paths = (ctypes.c_char_p * len(parts))(*map(os.fsencode, parts))
    with log.measuring():
        handle = raw.llama_model_load_from_splits(paths, len(parts), params)
    if not handle:
        raise LoadFailed(f"llama.cpp could not load the model: {reason(parts)}")
    try:
        yield Model(handle)
    finally:
        raw.llama_model_free(handle)
        del placed  # llama.cpp's copy of the parameters pointed to it


def reason(files: Sequence[Path] = ()) -> str:
    """What llama.cpp complained about, with no path of this machine."""
    complaints = "; ".join(dict.fromkeys(log.complaints))
    for path in files:
        complaints = complaints.replace(str(path), path.name)
    return complaints or "no reason given"
