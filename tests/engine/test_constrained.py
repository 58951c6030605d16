"""Answers that must be something: of a model of random weights, which would never be that by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ollapy.api.grammar import ANY_OBJECT, Grammar, GrammarKind
from ollapy.engine.engine import Engine
from ollapy.engine.sequence import FinishReason, Sequence
from ollapy.grammar.compiler import Compiler
from ollapy.grammar.lark import Thought
from ollapy.llama.context import Context, open_context
from ollapy.llama.model import Model
from scripts.make_gguf import write_random
from tests.support.engines import prompted, question, run, scored
from tests.support.grammars import compiler_of, schema
from tests.support.marked import write_pieces
from tests.support.schemas import draw

AN_ANSWER = {
    "type": "object",
    "properties": {
        "answer": {"type": "integer", "maximum": 999},
        "sure": {"type": "boolean"},
    },
    "required": ["answer", "sure"],
}


@pytest.fixture(scope="module")
def noise(
    tmp_path_factory: pytest.TempPathFactory, open_file: Callable[[Path], Model]
) -> Model:
    """A model that says anything."""
    path = tmp_path_factory.mktemp("noise") / "noise.gguf"
    write_random(path, vocab=1024)
    return open_file(path)


@pytest.fixture(scope="module")
def noise_context(noise: Model) -> Iterator[Context]:
    with open_context(
        noise, num_cells=8192, max_sequences=64, num_batch=512, num_threads=2
    ) as context:
        yield context


@pytest.fixture
def noise_engine(noise: Model, noise_context: Context) -> Iterator[Engine]:
    engine = Engine(noise, noise_context)
    yield engine
    engine.close()
    noise_context.clear()


@pytest.fixture(scope="module")
def noise_compiler(noise: Model) -> Compiler:
    return compiler_of(noise)


@pytest.fixture(scope="module")
def compiler(model: Model) -> Compiler:
    return compiler_of(model)


def _held(sequence: Sequence, compiler: Compiler, grammar: Grammar) -> Sequence:
    sequence.constraint = compiler.constraint(grammar)
    return sequence


def _check_drawn(
    engine: Engine, model: Model, compiler: Compiler, seeds: range
) -> None:
    schemas = [draw(seed) for seed in seeds]
    sequences = [
        _held(
            prompted(
                model,
                "go",
                temperature=1.0,
                seed=seed,
                max_tokens=300,
                top_k=0,
                top_p=1.0,
            ),
            compiler,
            schema(s),
        )
        for seed, s in zip(seeds, schemas, strict=True)
    ]
    texts = run(engine, *sequences)
    finished = 0
    for sequence, drawn, text in zip(sequences, schemas, texts, strict=True):
        if sequence.finish_reason is FinishReason.STOP:
            finished += 1
            Draft202012Validator(drawn).validate(json.loads(text))
    assert finished > len(seeds) * 0.8


def test_generated_schemas(
    noise_engine: Engine, noise: Model, noise_compiler: Compiler
) -> None:
    _check_drawn(noise_engine, noise, noise_compiler, range(40))


def test_a_vocabulary_of_sentence_pieces(
    tmp_path: Path, open_file: Callable[[Path], Model]
) -> None:
    write_pieces(path := tmp_path / "pieces.gguf")
    model = open_file(path)
    with open_context(
        model, num_cells=8192, max_sequences=32, num_batch=512, num_threads=2
    ) as context:
        engine = Engine(model, context)
        _check_drawn(engine, model, compiler_of(model), range(100, 120))
        engine.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("start", range(0, 1000, 50))
def test_a_thousand_generated_schemas(
    noise_engine: Engine, noise: Model, noise_compiler: Compiler, start: int
) -> None:
    _check_drawn(noise_engine, noise, noise_compiler, range(start, start + 50))


@pytest.mark.parametrize(
    "sampling",
    [
        {"temperature": 0.0},
        {"temperature": 1.0, "seed": 1},
        {"temperature": 5.0, "seed": 1, "top_k": 0, "top_p": 1.0},
        {"temperature": 1.0, "seed": 1, "top_k": 0, "top_p": 0.95},
        {"temperature": 1.0, "seed": 1, "top_k": 2000, "min_p": 0.01},
        {"temperature": 1.0, "seed": 1, "typical_p": 0.5, "repeat_penalty": 1.3},
        {"temperature": 0.0, "frequency_penalty": -100.0, "presence_penalty": 2.0},
    ],
)
def test_every_way_of_sampling_stays_within_the_grammar(
    noise_engine: Engine,
    noise: Model,
    noise_compiler: Compiler,
    sampling: dict[str, Any],
) -> None:
    for grammar, expected in (
        (Grammar(GrammarKind.CHOICE, ["yes", "no", "perhaps"]), r"yes|no|perhaps"),
        (Grammar(GrammarKind.REGEX, r"[a-f]{3}/\d\.[é-ü]"), r"[a-f]{3}/\d\.[é-ü]"),
        (Grammar(GrammarKind.LARK, 'start: "<" x ">"\nx: "a" x | "b"'), r"<a*b>"),
    ):
        sequence = _held(
            prompted(noise, "go", max_tokens=400, **sampling), noise_compiler, grammar
        )
        (text,) = run(noise_engine, sequence)
        if sequence.finish_reason is FinishReason.STOP:
            assert re.fullmatch(expected, text), text
        else:
            assert grammar.kind is GrammarKind.LARK
            assert sequence.num_generated == 400


def test_ends_by_itself_when_nothing_may_follow(
    engine: Engine, model: Model, compiler: Compiler
) -> None:
    sequence = _held(
        question(model, "What is 37 + 48?", think=False), compiler, schema(AN_ANSWER)
    )
    (text,) = run(engine, sequence)
    assert sequence.finish_reason is FinishReason.STOP
    assert not model.vocabulary.is_end(sequence.tokens[-1])
    Draft202012Validator(AN_ANSWER).validate(json.loads(text))


def test_an_answer_cut_by_its_limit_says_so(
    engine: Engine, model: Model, compiler: Compiler
) -> None:
    sequence = _held(
        question(model, "Hello", think=False, max_tokens=4), compiler, schema(AN_ANSWER)
    )
    (text,) = run(engine, sequence)
    assert sequence.finish_reason is FinishReason.LENGTH
    assert text.startswith("{")


def test_a_required_recursion_runs_to_the_limit(
    engine: Engine, model: Model, compiler: Compiler
) -> None:
    endless = {
        "type": "object",
        "properties": {"next": {"$ref": "#"}},
        "required": ["next"],
    }
    sequence = _held(
        question(model, "Hello", think=False, max_tokens=60), compiler, schema(endless)
    )
    run(engine, sequence)
    assert sequence.finish_reason is FinishReason.LENGTH


def test_a_thought_comes_before_the_answer(
    engine: Engine, model: Model, compiler: Compiler
) -> None:
    sequence = question(model, "What is 37 + 48?")
    sequence.constraint = compiler.constraint(
        schema(AN_ANSWER), Thought("<think>", "</think>")
    )
    (text,) = run(engine, sequence)
    thought, _, answer = text.partition("</think>")
    assert thought.startswith("<think>")
    Draft202012Validator(AN_ANSWER).validate(json.loads(answer))


def test_the_same_seed_gives_the_same_answer_alone_and_among_others(
    engine: Engine, model: Model, compiler: Compiler
) -> None:
    def asked(seed: int) -> Sequence:
        return _held(
            question(
                model,
                "Tell me",
                think=False,
                temperature=0.8,
                seed=seed,
                max_tokens=100,
            ),
            compiler,
            ANY_OBJECT,
        )

    alone = [run(engine, asked(seed))[0] for seed in range(4)]
    assert run(engine, *map(asked, range(4))) == alone


def test_many_at_once_with_and_without_a_grammar(
    engine: Engine, model: Model, compiler: Compiler
) -> None:
    free = [question(model, f"What is {n} + 20?", think=False) for n in range(20, 32)]
    held = [
        _held(
            question(model, f"What is {n} + 30?", think=False),
            compiler,
            schema(AN_ANSWER),
        )
        for n in range(30, 42)
    ]
    expected = [
        run(engine, question(model, f"What is {n} + 20?", think=False))[0]
        for n in range(20, 32)
    ]
    texts = run(engine, *(s for pair in zip(free, held, strict=True) for s in pair))
    assert texts[::2] == expected
    for text in texts[1::2]:
        Draft202012Validator(AN_ANSWER).validate(json.loads(text))


def test_goes_on_after_a_preemption(model: Model, compiler: Compiler) -> None:
    items = {
        "type": "array",
        "items": {"type": "integer", "minimum": 0, "maximum": 9},
        "minItems": 30,
        "maxItems": 30,
    }

    def asked(n: int) -> Sequence:
        return _held(
            question(
                model, f"Count to {n}", think=False, limit=250, temperature=1.0, seed=n
            ),
            compiler,
            schema(items),
        )

    with open_context(
        model, num_cells=256, max_sequences=8, num_batch=256, num_threads=2
    ) as context:
        engine = Engine(model, context)
        sequences = [asked(n) for n in range(4)]
        texts = run(engine, *sequences)
        engine.close()
    assert sum(s.num_preemptions for s in sequences) > 0
    for text in texts:
        Draft202012Validator(items).validate(json.loads(text))


def test_log_probabilities_are_the_models_own(
    engine: Engine, model: Model, compiler: Compiler
) -> None:
    free = scored(engine, question(model, "What is 37 + 48?", think=False, logprobs=3))
    held = scored(
        engine,
        _held(
            question(model, "What is 37 + 48?", think=False, logprobs=3),
            compiler,
            schema(AN_ANSWER),
        ),
    )
    assert held[0].token.startswith("{")
    assert held[0].logprob < free[0].logprob
    assert held[0].top_logprobs == free[0].top_logprobs


def test_stop_strings_count_where_the_grammar_may_end(
    engine: Engine, model: Model, compiler: Compiler
) -> None:
    grammar = Grammar(GrammarKind.LARK, 'start: "[" /x{5}/ "]" /x*/')
    sequence = _held(
        question(model, "Hello", think=False, stop=("x",), max_tokens=50),
        compiler,
        grammar,
    )
    (text,) = run(engine, sequence)
    assert text == "[xxxxx]"
    assert sequence.finish_reason is FinishReason.STOP


def test_an_answer_goes_on_from_what_was_given(
    engine: Engine, model: Model, compiler: Compiler
) -> None:
    given = '{"answer": 4'
    sequence = prompted(
        model, f"<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n{given}"
    )
    sequence.constraint = compiler.constraint(schema(AN_ANSWER), prefill=given)
    (text,) = run(engine, sequence)
    Draft202012Validator(AN_ANSWER).validate(json.loads(given + text))


def test_a_grammar_that_becomes_too_much_fails_alone(
    engine: Engine, model: Model, compiler: Compiler
) -> None:
    """Every letter can be read in more ways than the last: after some hundred it is given up."""
    grammar = Grammar(GrammarKind.LARK, 'start: e "~"\ne: e e | "a" | "b"')
    ambiguous = _held(
        question(model, "Hello", think=False, max_tokens=2000), compiler, grammar
    )
    other = question(model, "What is the capital of Japan?", think=False)
    engine.add(ambiguous)
    engine.add(other)
    outputs = []
    while engine.has_work:
        outputs += engine.step()
        engine.check()
    [failed] = [output for output in outputs if output.error]
    assert failed.sequence is ambiguous
    assert "too much work" in str(failed.error)
    assert other.finish_reason is FinishReason.STOP


def test_an_object_of_a_thousand_properties(
    noise_engine: Engine, noise: Model, noise_compiler: Compiler
) -> None:
    names = [f"p{n}" for n in range(1000)]
    large = {"type": "object", "properties": {name: {"enum": [1, 2]} for name in names}}
    sequence = _held(
        prompted(noise, "go", temperature=1.0, seed=2, max_tokens=400),
        noise_compiler,
        schema(large),
    )
    (text,) = run(noise_engine, sequence)
    assert sequence.finish_reason is FinishReason.STOP
    Draft202012Validator(large).validate(json.loads(text))


ADDRESS = {
    "type": "object",
    "properties": {
        "shipping_address": {"enum": ["at home", "abroad"]},
        "customer_identifier": {"type": "integer", "maximum": 99},
    },
    "required": ["shipping_address", "customer_identifier"],
    "additionalProperties": False,
}


def test_forced_tokens_are_not_sampled(
    engine: Engine, model: Model, compiler: Compiler
) -> None:
    one = _held(question(model, "Hello", think=False), compiler, schema(ADDRESS))
    (text,) = run(engine, one)

    Draft202012Validator(ADDRESS).validate(json.loads(text))
    assert one.num_forced > 10
    assert engine.counters.rows == one.num_generated - one.num_forced


def test_scored_tokens_are_all_sampled(
    engine: Engine, model: Model, compiler: Compiler
) -> None:
    one = question(model, "Hello", think=False, logprobs=0)
    scores = scored(engine, _held(one, compiler, schema(ADDRESS)))

    assert one.num_forced == 0
    assert len(scores) == one.num_generated


@pytest.mark.parametrize("most", range(1, 30))
def test_forced_tokens_within_the_limit(
    engine: Engine, model: Model, compiler: Compiler, most: int
) -> None:
    whole, cut = (
        _held(
            question(model, "Hello", think=False, max_tokens=limit),
            compiler,
            schema(ADDRESS),
        )
        for limit in (None, most)
    )
    text, beginning = run(engine, whole, cut)

    assert cut.num_generated == most
    assert cut.finish_reason is FinishReason.LENGTH
    assert text.startswith(beginning)


def test_a_stop_string_among_forced_tokens(
    engine: Engine, model: Model, compiler: Compiler
) -> None:
    spelled = Grammar(GrammarKind.CHOICE, ["one two three four five", "six"])
    one = question(model, "Hello", think=False, stop=("three",))
    (text,) = run(engine, _held(one, compiler, spelled))

    assert (text, one.stopped_by) in {("one two ", "three"), ("six", "")}


def test_forced_tokens_in_a_full_pool(model: Model, compiler: Compiler) -> None:
    long = {"enum": ["ab " * 150, "cd " * 150]}
    with open_context(
        model, num_cells=512, max_sequences=8, num_batch=64, num_threads=1
    ) as context:
        engine = Engine(model, context)
        texts = run(
            engine,
            *(
                _held(
                    question(model, f"Say {n}", think=False, limit=500),
                    compiler,
                    schema(long),
                )
                for n in range(8)
            ),
        )
        engine.close()

    assert {json.loads(text) for text in texts} <= set(long["enum"])
