"""The models that other tests rely on, tried in llama.cpp itself."""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jinja2
import numpy as np
import pytest
from llama_cpp import llama_cpp

from scripts.make_gguf import (
    CHATML,
    THINKING_CHATML,
    cut,
    write_embedder,
    write_random,
    write_scripted,
)
from scripts.quantize import quantize

# The callback belongs to the process, and so to ollapy.llama; this quietens the binding's.
logging.getLogger("llama-cpp-python").setLevel(logging.ERROR)

SCRIPTS = {
    "word": "Hello!",
    "repetition": "ha ha ha ha",
    "emoji": "Llamas 🦙🦙 and 😀; 你好，世界！\n\ttabs, too.",
    "long": " ".join(f"{n} 羊驼 llamas jump, {n % 7} fall;" for n in range(100)),
    "one letter": "a" * 500,
    "two bytes": "ab",
    "nothing": "",
}
PROMPT = "<|im_start|>user\nSay no.<|im_end|>\n<|im_start|>assistant\n"


class Llama:
    """A model in a context of one sequence."""

    def __init__(self, model: int, context: int) -> None:
        self.context = context
        self.vocab = llama_cpp.llama_model_get_vocab(model)
        self.width = llama_cpp.llama_model_n_embd_out(model)

    def tokenize(self, text: str) -> list[int]:
        raw = text.encode()
        tokens = (ctypes.c_int32 * (len(raw) + 2))()
        count = llama_cpp.llama_tokenize(
            self.vocab, raw, len(raw), tokens, len(tokens), True, True
        )
        return tokens[:count]

    def piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        size = llama_cpp.llama_token_to_piece(self.vocab, token, buffer, 256, 0, True)
        return buffer.raw[:size]

    def decode(self, tokens: list[int]) -> None:
        array = (ctypes.c_int32 * len(tokens))(*tokens)
        batch = llama_cpp.llama_batch_get_one(array, len(tokens))
        assert llama_cpp.llama_decode(self.context, batch) == 0

    def logits(self) -> np.ndarray:
        values = llama_cpp.llama_get_logits_ith(self.context, -1)
        vocab = llama_cpp.llama_vocab_n_tokens(self.vocab)
        return np.ctypeslib.as_array(values, (vocab,)).copy()

    def embedding(self) -> np.ndarray:
        values = llama_cpp.llama_get_embeddings_seq(self.context, 0)
        return np.ctypeslib.as_array(values, (self.width,)).copy()

    def clear(self) -> None:
        memory = llama_cpp.llama_get_memory(self.context)
        llama_cpp.llama_memory_clear(memory, True)


@contextmanager
def loaded(path: Path, *, embeddings: bool = False) -> Iterator[Llama]:
    model_params = llama_cpp.llama_model_default_params()
    model_params.use_extra_bufts = False  # AMX kernels crash on quantized weights
    model = llama_cpp.llama_model_load_from_file(os.fsencode(path), model_params)
    assert model
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = 0  # what the file says
    params.n_threads = params.n_threads_batch = 1
    params.kv_unified = True
    params.embeddings = embeddings
    context = llama_cpp.llama_init_from_model(model, params)
    assert context
    try:
        yield Llama(model, context)
    finally:
        llama_cpp.llama_free(context)
        llama_cpp.llama_model_free(model)


def penalize(logits: np.ndarray, said: list[int]) -> np.ndarray:
    """Penalties well above Ollama's defaults: repeat 1.5, frequency 1, presence 1."""
    for token in set(said[-64:]):
        factor = 1 / 1.5 if logits[token] > 0 else 1.5
        logits[token] = logits[token] * factor - said[-64:].count(token) - 1
    return logits


def say(
    path: Path,
    prompt: str = PROMPT,
    *,
    temperature: float = 0,
    seed: int = 0,
    max_tokens: int = 5000,
) -> str:
    """What a model answers: the most likely, or sampled (Gumbel's way) with penalties."""
    rng = np.random.default_rng(seed)
    said: list[int] = []
    with loaded(path) as llama:
        llama.decode(llama.tokenize(prompt))
        while len(said) < max_tokens:
            logits = llama.logits()
            if temperature:
                noise = rng.gumbel(size=len(logits))
                logits = penalize(logits, said) / temperature + noise
            token = int(logits.argmax())
            if llama_cpp.llama_vocab_is_eog(llama.vocab, token):
                break
            said.append(token)
            llama.decode([token])
        return b"".join(map(llama.piece, said)).decode(errors="replace")


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("scripted")
    paths = {name: folder / f"{name}.gguf" for name in SCRIPTS}
    for name, path in paths.items():
        write_scripted(path, SCRIPTS[name])
    return paths


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize(
    ("temperature", "seed"), [(0, 0), (2, 1), (2, 2), (5, 3)], ids=str
)
def test_scripted_says_its_text_at_any_temperature(
    scripted: dict[str, Path], name: str, temperature: float, seed: int
) -> None:
    said = say(scripted[name], temperature=temperature, seed=seed)

    assert said == SCRIPTS[name]


@pytest.mark.parametrize("prompt", ["a", "\n", "Llamas 🦙", "ab", "\0\0", "<|im_end|>"])
def test_scripted_says_its_text_after_any_prompt(
    scripted: dict[str, Path], prompt: str
) -> None:
    """Also after its own words: they are tokenized as bytes, not as its pieces."""
    assert say(scripted["emoji"], prompt) == SCRIPTS["emoji"]


def test_a_prompt_is_tokenized_byte_by_byte(scripted: dict[str, Path]) -> None:
    with loaded(scripted["emoji"]) as llama:
        tokens = llama.tokenize("<|im_start|>hm 🦙<|im_end|>")

        assert (
            b"".join(map(llama.piece, tokens)).decode() == "<|im_start|>hm 🦙<|im_end|>"
        )
        assert len(tokens) == 1 + len("hm 🦙".encode()) + 1


def test_scripted_is_sure_of_the_next_token(scripted: dict[str, Path]) -> None:
    with loaded(scripted["long"]) as llama:
        tokens = llama.tokenize(PROMPT)
        gaps = []
        for _ in range(100):
            llama.decode(tokens)
            second, first = np.sort(llama.logits())[-2:]
            gaps.append(first - second)
            tokens = [int(llama.logits().argmax())]

    assert min(gaps) >= 60


@pytest.mark.parametrize("temperature", [0, 2])
def test_an_endless_one_starts_again(tmp_path: Path, temperature: float) -> None:
    path = tmp_path / "endless.gguf"
    write_scripted(path, "ha ha 🦙 ", endless=True)

    said = say(path, temperature=temperature, max_tokens=200)

    assert said.startswith("ha ha 🦙 " * 30)


def test_thinking_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "thinking.gguf"
    write_scripted(path, "42.", thinking="Six times seven.")

    assert say(path) == "<think>\nSix times seven.\n</think>\n\n42."


@pytest.mark.parametrize("file_type", ["Q8_0", "Q4_K_M"])
def test_scripted_survives_quantization(
    scripted: dict[str, Path], tmp_path: Path, file_type: str
) -> None:
    path = tmp_path / f"{file_type}.gguf"
    quantize(scripted["emoji"], path, file_type)

    assert path.stat().st_size < scripted["emoji"].stat().st_size
    assert say(path, temperature=2) == SCRIPTS["emoji"]


@pytest.mark.parametrize("text", ["a", "\n"])
def test_a_script_of_one_byte_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="one byte"):
        write_scripted(tmp_path / "refused.gguf", text)


@pytest.mark.parametrize(
    ("script", "pieces"),
    [
        ("", []),
        ("ab", ["ab"]),
        ("abc", ["abc"]),
        ("ababab", ["ab", "abab"]),
        ("ha ha ha ha", ["ha", " h", "a ", "ha ha"]),
    ],
)
def test_cut(script: str, pieces: list[str]) -> None:
    assert cut(script.encode()) == [piece.encode() for piece in pieces]


def test_pieces_differ_and_are_not_single_bytes() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        script = rng.choice([*b"ab"], rng.integers(2, 200)).astype("u1").tobytes()
        pieces = cut(script)

        assert b"".join(pieces) == script
        assert len(set(pieces)) == len(pieces)
        assert min(map(len, pieces)) >= 2


def test_chat_templates() -> None:
    chat = {
        "messages": [{"role": "user", "content": "Hi"}],
        "add_generation_prompt": True,
    }
    asked = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    plain, thinking = map(jinja2.Template, (CHATML, THINKING_CHATML))

    assert plain.render(chat) == asked
    assert thinking.render(chat) == asked
    assert thinking.render(chat, enable_thinking=True) == asked
    assert (
        thinking.render(chat, enable_thinking=False)
        == asked + "<think>\n\n</think>\n\n"
    )


def test_every_token_of_a_random_model_s_context_counts(tmp_path: Path) -> None:
    """By more than ten times what another batch shape changes (0.005)."""
    path = tmp_path / "random.gguf"
    write_random(path)
    changes = []
    with loaded(path) as llama:
        prompt = llama.tokenize("The quick brown fox jumps over the lazy dog. " * 3)
        llama.decode(prompt)
        expected = llama.logits()
        for place in range(0, len(prompt), 10):
            llama.clear()
            llama.decode([*prompt[:place], 99, *prompt[place + 1 :]])
            changes.append(np.abs(llama.logits() - expected).max())

    assert np.isfinite(expected).all()
    assert min(changes) > 0.05


def test_a_random_model_takes_other_sizes(tmp_path: Path) -> None:
    path = tmp_path / "random.gguf"
    write_random(path, layers=3, width=96, heads=6, kv_heads=3, vocab=300)

    with loaded(path) as llama:
        llama.decode(llama.tokenize("Hi"))

        assert llama.logits().shape == (300,)
        assert llama.width == 96


def test_the_embedder_embeds(tmp_path: Path) -> None:
    path = tmp_path / "embedder.gguf"
    write_embedder(path)
    vectors = []
    with loaded(path, embeddings=True) as llama:
        for text in ("A cat sat.", "a cat sat!", "12345, 67890?"):
            llama.decode(llama.tokenize(text))
            vectors.append(llama.embedding() / np.linalg.norm(llama.embedding()))
    cat, same_cat, numbers = vectors

    assert np.isfinite(vectors).all()
    assert cat @ same_cat > 0.9 > cat @ numbers


@pytest.mark.parametrize(
    "write",
    [lambda path: write_scripted(path, "Hello!"), write_random, write_embedder],
    ids=["scripted", "random", "embedder"],
)
def test_files_are_small_and_the_same_each_time(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    first, second = tmp_path / "first.gguf", tmp_path / "second.gguf"
    write(first)
    write(second)

    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 1_000_000
