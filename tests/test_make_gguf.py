"""The models that other tests rely on, tried in llama.cpp itself."""

from __future__ import annotations

import ctypes
import logging
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import jinja2
import numpy as np
import pytest
from llama_cpp import llama_cpp

from ollapy.gguf import read_header
from ollapy.llama.context import Context, open_context
from ollapy.llama.model import Model, open_model
from ollapy.llama.quantize import quantize
from scripts.make_gguf import (
    CHATML,
    REAL_SHAPES,
    THINKING_CHATML,
    cut,
    write_embedder,
    write_encoder_decoder,
    write_hybrid,
    write_qwen2,
    write_random,
    write_recurrent,
    write_scripted,
    write_shape,
    write_sliding,
)
from tests.conftest import TINY

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
    quantize([scripted["emoji"]], path, file_type)

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


DECODERS: dict[str, Callable[[Path], None]] = {
    "llama": write_random,
    "qwen2": write_qwen2,
    "gemma3": write_sliding,
    "lfm2": write_hybrid,
    "mamba": write_recurrent,
}
EMBEDDERS = {"mean": "bert", "cls": "bert", "rank": "bert", "last": "qwen2"}
FOX = "The quick brown fox jumps over the lazy dog. " * 3


@contextmanager
def opened(path: Path, *, pooled: bool = False) -> Iterator[tuple[Model, Context]]:
    """A model as ollapy loads it, in a context of one sequence."""
    with (
        open_model([path], on_progress=lambda _: None) as model,
        open_context(
            model,
            num_cells=512,
            max_sequences=1,
            num_batch=512,
            num_threads=1,
            pooled=pooled,
        ) as context,
    ):
        yield model, context


def read(context: Context, tokens: list[int], *, step: int = 512) -> np.ndarray:
    """The logits after these tokens, read some at a time."""
    context.clear()
    for start in range(0, len(tokens), step):
        part = tokens[start : start + step]
        positions = list(range(start, start + len(part)))
        context.decode(part, positions, [0] * len(part), [len(part) - 1])
    return context.logits(1)[0].copy()


@pytest.mark.parametrize("architecture", DECODERS)
def test_an_early_token_counts_in_every_architecture(
    tmp_path: Path, architecture: str
) -> None:
    """By several times what another batch shape changes."""
    path = tmp_path / "model.gguf"
    DECODERS[architecture](path)
    with opened(path) as (model, context):
        tokens = model.vocabulary.tokenize(FOX, special=True)
        expected = read(context, tokens)
        in_parts = read(context, tokens, step=7)
        without = read(context, [99, *tokens[1:]])

    assert read_header(path).architecture == architecture
    assert np.isfinite(expected).all()
    assert np.abs(in_parts - expected).max() < 0.02
    assert np.abs(without - expected).max() > 0.1


def test_what_the_small_ones_are(tmp_path: Path) -> None:
    """Told by llama.cpp itself."""
    answers = {}
    for name in ("gemma3", "lfm2", "mamba"):
        path = tmp_path / f"{name}.gguf"
        DECODERS[name](path)
        with opened(path) as (model, _):
            answers[name] = (
                llama_cpp.llama_model_n_swa(model.handle),
                llama_cpp.llama_model_is_hybrid(model.handle),
                llama_cpp.llama_model_is_recurrent(model.handle),
            )

    assert answers == {
        "gemma3": (32, False, False),
        "lfm2": (0, True, False),
        "mamba": (0, False, True),
    }


def test_an_answer_depends_on_all_that_the_encoder_read(tmp_path: Path) -> None:
    path = tmp_path / "t5.gguf"
    write_encoder_decoder(path)
    with opened(path) as (model, context):
        start = llama_cpp.llama_model_decoder_start_token(model.handle)
        tokens = model.vocabulary.tokenize(FOX, special=True)
        ends = model.vocabulary.is_end(tokens[-1])

        def answer(text: list[int], said: list[int]) -> np.ndarray:
            array = (ctypes.c_int32 * len(text))(*text)
            batch = llama_cpp.llama_batch_get_one(array, len(text))
            assert llama_cpp.llama_encode(context.handle, batch) == 0
            return read(context, [start, *said])

        expected = answer(tokens, [9, 8, 7])
        changes = [
            answer([99, *tokens[1:]], [9, 8, 7]) - expected,
            answer([*tokens[:-2], 99, tokens[-1]], [9, 8, 7]) - expected,
            answer(tokens, [10, 8, 7]) - expected,
        ]

    assert start == 0
    assert ends
    assert np.isfinite(expected).all()
    assert min(np.abs(change).max() for change in changes) > 0.1


@pytest.mark.parametrize("pooling", EMBEDDERS)
def test_poolings(tmp_path: Path, pooling: str) -> None:
    """A reranker's vector is one number, so only that is looked at."""
    path = tmp_path / "model.gguf"
    write_embedder(path, pooling=pooling)
    with opened(path, pooled=True) as (model, context):
        known = llama_cpp.llama_pooling_type(context.handle)
        numbers = []
        for text in ("A cat sat on a mat.", "1 cat sat on a mat."):
            tokens = model.vocabulary.tokenize(text, special=True)
            count = len(tokens)
            context.clear()
            # only the last token of a text may be pooled where no other is looked at
            first = count - 1 if model.pools_last else 0
            positions = list(range(count))
            context.pool(on=False)
            if first:
                context.decode(tokens[:first], positions[:first], [0] * first, [])
            context.pool(on=True)
            left = count - first
            context.decode(
                tokens[first:], positions[first:], [0] * left, list(range(left))
            )
            values = llama_cpp.llama_get_embeddings_seq(context.handle, 0)
            numbers.append(values[0])

    header = read_header(path)
    assert (header.architecture, header.pooling_type) == (EMBEDDERS[pooling], known)
    assert np.isfinite(numbers).all()
    assert abs(numbers[0] - numbers[1]) > 1e-3


def test_a_causal_embedder_s_texts_end_with_its_end_token(tmp_path: Path) -> None:
    path = tmp_path / "last.gguf"
    write_embedder(path, pooling="last")

    with opened(path, pooled=True) as (model, _):
        assert model.vocabulary.is_end(
            model.vocabulary.tokenize("a cat", special=True)[-1]
        )


@pytest.mark.parametrize(("name", "parameters"), [("0.5b", 494e6), ("1b", 1236e6)])
def test_real_shapes_have_the_real_number_of_parameters(
    name: str, parameters: float
) -> None:
    sizes = REAL_SHAPES[name].sizes.values()

    assert sum(map(math.prod, sizes)) == pytest.approx(parameters, rel=1e-3)


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layer of the 0.5b."""
    path = tmp_path_factory.mktemp("shape") / "0.5b.gguf"
    write_shape(path, layers=1, vocab=4000)
    return path


def test_a_real_shape_never_ends_and_says_printable_text(reduced: Path) -> None:
    with opened(reduced) as (model, context):
        tokens = model.vocabulary.tokenize(PROMPT, special=True)
        for _ in range(50):
            logits = read(context, tokens)
            ends = [
                logits[token] for token in range(4000) if model.vocabulary.is_end(token)
            ]
            tokens.append(int(logits.argmax()))
            assert max(ends) == 0 < 10 < logits.max()
        said = b"".join(map(model.vocabulary.piece, tokens[-50:])).decode()

    assert said.isprintable()
    assert len(set(tokens[-50:])) > 10


def test_common_words_are_one_token_in_a_made_up_vocabulary(reduced: Path) -> None:
    text = " a quick answer to the question about their beautiful country"
    with opened(reduced) as (model, _):
        tokens = model.vocabulary.tokenize(text, special=True)

        assert [
            model.vocabulary.piece(token).decode().strip() for token in tokens
        ] == text.split()


def test_a_real_shape_takes_the_vocabulary_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "0.5b.gguf"
    write_shape(path, layers=1, vocabulary=TINY, file_type="Q8_0")
    own, tiny = read_header(path), read_header(TINY)
    keys = [key for key in tiny.metadata if key.startswith("tokenizer.ggml.")]

    assert own.file_type == "Q8_0"
    assert own.chat_template == CHATML
    with opened(path) as (model, _), opened(TINY) as (origin, _):
        assert model.vocabulary.tokenize(
            PROMPT, special=True
        ) == origin.vocabulary.tokenize(PROMPT, special=True)
    assert set(keys) <= own.metadata.keys()


def test_the_command_line_writes_the_same_file(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine.gguf", tmp_path / "theirs.gguf"
    write_embedder(mine, pooling="rank", seed=7)
    arguments = ["embedder", str(theirs), "--pooling", "rank", "--seed", "7"]

    subprocess.run([sys.executable, "-m", "scripts.make_gguf", *arguments], check=True)

    assert mine.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_scripted(path, "Hello!"),
        *DECODERS.values(),
        write_encoder_decoder,
        *(partial(write_embedder, pooling=pooling) for pooling in EMBEDDERS),
    ],
    ids=["scripted", *DECODERS, "t5", *EMBEDDERS],
)
def test_files_are_small_and_the_same_each_time(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    first, second = tmp_path / "first.gguf", tmp_path / "second.gguf"
    write(first)
    write(second)

    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 1_000_000


@pytest.mark.parametrize(
    "write", [*DECODERS.values(), write_encoder_decoder, write_embedder]
)
def test_another_seed_gives_another_model(
    tmp_path: Path, write: Callable[..., None]
) -> None:
    first, second = tmp_path / "first.gguf", tmp_path / "second.gguf"
    write(first, seed=1)
    write(second, seed=2)

    assert first.read_bytes() != second.read_bytes()
