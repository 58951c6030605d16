"""Pictures in the engine: they mean what libmtmd makes of them, however they are batched, shared and computed again."""

from __future__ import annotations

import ctypes
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ollapy.api.options import SamplingParams
from ollapy.engine.engine import Engine
from ollapy.engine.media import placeholders
from ollapy.engine.sequence import Sequence
from ollapy.llama.context import Context, Floats, open_context
from ollapy.llama.library import mtmd
from ollapy.llama.model import Model
from ollapy.llama.projector import Chunk, Projector, open_projector
from scripts.make_gguf import (
    write_gemma3_projector,
    write_llava,
    write_qwen2vl,
    write_qwen2vl_projector,
    write_random,
    write_sliding,
)
from tests.support.engines import Story, agree, tell, told
from tests.support.pictures import png


@dataclass
class Eye:
    """A model that sees, and where it computes."""

    model: Model
    projector: Projector
    context: Context

    def sequence(self, *parts: str | bytes, **fields: object) -> Sequence:
        """A sequence that goes on from texts and pictures."""
        tokens: list[int] = []
        media = {}
        for part in parts:
            for piece in self.read(part):
                if isinstance(piece, Chunk):
                    media[len(tokens)] = piece
                    tokens += placeholders(piece)
                else:
                    tokens += piece
        return tell(tokens, media=media, **fields)

    def read(self, part: str | bytes) -> list[list[int] | Chunk]:
        if isinstance(part, str):
            return [self.model.vocabulary.tokenize(part, begins=False)]
        key = int.from_bytes(hashlib.sha256(part).digest()[:16])
        return self.projector.read(part, key)

    def expected(self, *parts: str | bytes) -> Floats:
        """The logits after texts and pictures, as libmtmd computes them by itself."""
        self.context.clear()
        position = ctypes.c_int32(0)
        for part in parts:
            if isinstance(part, bytes):
                self._eval(part, position)
            else:
                tokens = self.model.vocabulary.tokenize(part, begins=False)
                places = range(position.value, position.value + len(tokens))
                last = [len(tokens) - 1]
                self.context.decode(tokens, [*places], [0] * len(tokens), last)
                position.value += len(tokens)
        row = self.context.logits(1)[0].copy()
        self.context.clear()
        return row

    def _eval(self, data: bytes, position: ctypes.c_int32) -> None:
        medium = next(p for p in self.read(data) if isinstance(p, Chunk)).medium
        handles = (self.projector._handle, self.context.handle, medium.handle)
        code = mtmd.mtmd_helper_eval_chunks(
            *handles, position, 0, 512, False, ctypes.byref(position)
        )
        assert code == 0


GEMMA_MARKS = ("<start_of_image>", "<end_of_image>")
KINDS = {
    "llava": (write_random, write_llava),
    "qwen2vl": (write_qwen2vl, write_qwen2vl_projector),
    "gemma3": (
        partial(write_sliding, controls=GEMMA_MARKS),
        write_gemma3_projector,
    ),  # no causal order, and a window
}


@pytest.fixture(scope="module", params=KINDS)
def eye(
    request: pytest.FixtureRequest,
    open_file: Callable[[Path], Model],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Eye]:
    folder = tmp_path_factory.mktemp(request.param)
    write_model, write_projector = KINDS[request.param]
    write_model(folder / "model.gguf")
    write_projector(folder / "mmproj.gguf")
    model = open_file(folder / "model.gguf")
    with (
        open_context(
            model, num_cells=4096, max_sequences=16, num_batch=512, num_threads=2
        ) as context,
        open_projector(
            folder / "mmproj.gguf", model, num_threads=2, uses_gpu=False
        ) as projector,
    ):
        yield Eye(model, projector, context)


@pytest.fixture
def engine(eye: Eye) -> Iterator[Engine]:
    engine = Engine(eye.model, eye.context)
    yield engine
    engine.close()
    eye.context.clear()


def fresh(eye: Eye, *parts: str | bytes) -> Story:
    """What is answered by an engine that has seen nothing before."""
    eye.context.clear()
    engine = Engine(eye.model, eye.context)
    story = told(engine, eye.sequence(*parts))
    engine.close()
    eye.context.clear()
    return story


def test_a_picture_means_what_libmtmd_says(eye: Eye) -> None:
    for parts in (
        ("What is this? ", png(), "It is"),
        (png(300, 200), "and", png(1, 90, seed=3), "are"),
    ):
        row = eye.expected(*parts)
        first = fresh(eye, *parts).logprobs[0]
        top = first.top_logprobs[0]
        assert row.argmax() == fresh(eye, *parts).tokens[0]
        expected = float(row.max() - np.logaddexp.reduce(row.astype(np.float64)))
        assert abs(top.logprob - expected) < 0.05


def test_another_picture_has_another_answer(eye: Eye) -> None:
    one, same, other = (
        fresh(eye, "What is ", png(60, 40, seed=seed), "? It is") for seed in (1, 1, 2)
    )
    assert one == same
    assert one.tokens != other.tokens


def test_a_second_question_computes_only_itself(eye: Eye, engine: Engine) -> None:
    picture = png(100, 80, seed=5)
    told(engine, eye.sequence("Look carefully at this one: ", picture, "What is it?"))
    encoded = engine.counters.encoded
    again = eye.sequence("Look carefully at this one: ", picture, "What else is it?")
    story = told(engine, again)
    engine.check()
    assert (again.num_cached or 0) >= len(
        eye.sequence("Look carefully at this one: ", picture).tokens
    )
    assert engine.counters.encoded == encoded
    assert agree(
        fresh(eye, "Look carefully at this one: ", picture, "What else is it?"), story
    )


def test_a_picture_is_shared_as_a_whole(eye: Eye, engine: Engine) -> None:
    """Of two whose embeddings begin alike nothing is taken for the other."""
    told(engine, eye.sequence("Look: ", png(seed=7), "What?"))
    other = eye.sequence("Look: ", png(seed=8), "What?")
    story = told(engine, other)
    engine.check()
    assert other.num_cached is not None
    assert other.num_cached <= min(other.media)
    assert agree(fresh(eye, "Look: ", png(seed=8), "What?"), story)


def run_together(engine: Engine, sequences: list[Sequence]) -> list[Story]:
    stories = {sequence.id: Story([]) for sequence in sequences}
    prompts = {sequence.id: len(sequence.tokens) for sequence in sequences}
    for sequence in sequences:
        engine.add(sequence)
    while engine.has_work:
        for output in engine.step():
            assert output.error is None
            if output.logprob:
                stories[output.sequence.id].logprobs.append(output.logprob)
        engine.check()
    for sequence in sequences:
        stories[sequence.id].tokens = sequence.tokens[prompts[sequence.id] :]
    return [*stories.values()]


def questions(count: int) -> list[tuple[str | bytes, ...]]:
    """Texts, pictures, the same picture twice, and several in one."""
    kinds: list[tuple[str | bytes, ...]] = [
        ("Tell me something about rivers, please.",),
        ("Look: ", png(70, 50, seed=1), "What is it?"),
        ("Look: ", png(70, 50, seed=1), "Why is it there?"),
        (png(90, 20, seed=2), "and ", png(20, 90, seed=3), "differ in"),
    ]
    return [kinds[i % len(kinds)] for i in range(count)]


def test_pictures_and_texts_together_are_as_alone(eye: Eye, engine: Engine) -> None:
    asked = questions(8)
    alone = [fresh(eye, *parts) for parts in asked]
    together = run_together(engine, [eye.sequence(*parts) for parts in asked])
    for one, other in zip(alone, together, strict=True):
        assert agree(one, other)


def test_preempted_and_computed_again(eye: Eye) -> None:
    """In a pool that holds two of them, six get their answers in the end, and each its own."""
    asked = questions(6)
    alone = [fresh(eye, *parts) for parts in asked]
    longest = max(len(eye.sequence(*parts).tokens) for parts in asked)
    with open_context(
        eye.model,
        num_cells=2 * longest + 30,
        max_sequences=8,
        num_batch=64,
        num_threads=2,
    ) as small:
        engine = Engine(eye.model, small)
        limit = longest + 30
        sequences = [eye.sequence(*parts, limit=limit) for parts in asked]
        for one, other in zip(alone, run_together(engine, sequences), strict=True):
            assert agree(one, other)
        engine.close()


def test_a_full_context_drops_no_half_of_a_picture(eye: Eye, engine: Engine) -> None:
    sequence = eye.sequence(
        "Keep ", png(60, 60), "and this", png(64, 48, seed=2), "too", limit=60
    )
    sequence.num_keep = 3
    sequence.params = SamplingParams(temperature=0.0, max_tokens=80)
    engine.add(sequence)
    while engine.has_work:
        for output in engine.step():
            assert output.error is None
        engine.check()
        negative = [i for i, token in enumerate(sequence.tokens) if token < 0]
        known = [
            i for s, c in sequence.media.items() for i in range(s, s + c.num_tokens)
        ]
        assert negative == known
    assert sequence.num_shifted


class Held:
    """A chunk whose encoding ends when it is let go."""

    def __init__(self, chunk: Chunk) -> None:
        self.key = chunk.key
        self.num_tokens = chunk.num_tokens
        self.num_positions = chunk.num_positions
        self.is_causal = chunk.is_causal
        self.positions = chunk.positions
        self.go = threading.Event()
        self._chunk = chunk

    def encode(self) -> Floats:
        assert self.go.wait(20)
        return self._chunk.encode()


def held(eye: Eye, *parts: str | bytes) -> tuple[Sequence, Held]:
    """A sequence whose first picture takes as long as the test wants."""
    sequence = eye.sequence(*parts)
    start, chunk = next(iter(sequence.media.items()))
    assert isinstance(chunk, Chunk)
    slow = Held(chunk)
    sequence.media[start] = slow
    return sequence, slow


def test_others_go_on_while_a_picture_is_encoded(eye: Eye, engine: Engine) -> None:
    parts = ("Look: ", png(50, 50, seed=21), "What is it?")
    expected = fresh(eye, *parts)
    seeing, slow = held(eye, *parts)
    engine.add(seeing)
    text = eye.sequence("Tell me something")
    engine.add(text)
    logprobs = []
    while engine.has_work:
        for output in engine.step():
            if output.sequence is text and output.is_last:
                assert not seeing.num_generated
                slow.go.set()
            if output.sequence is seeing and output.logprob:
                logprobs.append(output.logprob)
        engine.check()
    assert text.num_generated == seeing.num_generated == 16
    assert agree(expected, Story(logprobs))


def test_who_leaves_while_a_picture_is_encoded(eye: Eye, engine: Engine) -> None:
    seeing, slow = held(eye, "Look: ", png(50, 50, seed=22), "What is it?")
    engine.add(seeing)
    engine.step()
    engine.cancel(seeing.id)
    assert not engine.has_work
    engine.check()
    slow.go.set()
    parts = ("Look: ", png(50, 50, seed=22), "What is it?")
    encoded = told(engine, eye.sequence(*parts))
    assert engine.counters.encoded == 1, "what was encoded is used"
    assert agree(fresh(eye, *parts), encoded)


def test_a_picture_that_cannot_be_encoded_fails_alone(eye: Eye, engine: Engine) -> None:
    class Broken(Held):
        def encode(self) -> Floats:
            return np.full((self.num_tokens, 64), np.nan, np.float32)

    seeing = eye.sequence("Look: ", png(50, 50, seed=23), "What is it?")
    start, chunk = next(iter(seeing.media.items()))
    assert isinstance(chunk, Chunk)
    seeing.media[start] = Broken(chunk)
    engine.add(seeing)
    errors = []
    while engine.has_work:
        errors += [output.error for output in engine.step() if output.error]
    assert [str(error) for error in errors] == [
        "the model made numbers of the image that are none"
    ]
    engine.check()
    assert len(told(engine, eye.sequence("Tell me something")).tokens) == 16
