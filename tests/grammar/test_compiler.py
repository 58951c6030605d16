"""Grammars compiled for a vocabulary of bytes."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from ollapy.api.grammar import ANY_OBJECT, Grammar, GrammarKind
from ollapy.errors import InvalidRequest
from ollapy.grammar.compiler import Compiler, Vocabulary
from ollapy.grammar.constraint import Constraint, Masks
from ollapy.grammar.lark import Thought
from tests.support.grammars import schema

END = 256
LARK, REGEX, CHOICE = GrammarKind.LARK, GrammarKind.REGEX, GrammarKind.CHOICE


def vocabulary() -> Vocabulary:
    """Every byte, the end, and words that begin and end in the middle of what grammars say."""
    words = [b"<|end|>", b"</think>", b'{"', b'": ', b"</think>\n\n", b'>{"a']
    return Vocabulary([*(bytes([b]) for b in range(256)), *words], [END], [END])


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    return Compiler(vocabulary)


def says(constraint: Constraint, text: str) -> bool:
    """Whether a text may be said, byte by byte."""
    return constraint.follow(list(text.encode()))


def next_tokens(constraint: Constraint) -> set[int]:
    """The tokens that may come next."""
    masks = Masks(len(vocabulary().tokens))
    with masks.computing([constraint]):
        pass
    masks.close()
    row = np.zeros(len(vocabulary().tokens), np.float32)
    constraint.restrict(row)
    return set(np.flatnonzero(np.isfinite(row)).tolist())


@pytest.mark.parametrize(
    ("grammar", "good", "bad"),
    [
        (ANY_OBJECT, ['{}', '{"a": [1, "x", null]}', '{\n  "a": {"b": 1.5e3}\n}'], ["[]", "1", "{a}", " {}"]),
        (schema({}), ["1", '"x"', "[]", "null"], ["nul", "'x'"]),
        (schema({"type": "string", "pattern": "b"}), ['"abc"'], ['"ac"']),
        (schema({"type": "string", "pattern": r"^\d+$"}), ['"12"'], ['"٣"']),
        (schema({"type": ["object", "null"], "properties": {}}), ["null", "{}"], ['{"a": 1}']),
        (schema({"properties": {"a": {"type": "null"}}, "type": "object"}), ['{"a": null}'], ['{"b": 1}', r'{"\u0061": 1}']),
        (
            schema({"properties": {"a": {"type": "null"}}, "type": "object", "additionalProperties": {"type": "integer"}}),
            ['{"a": null, "b": 1}', '{"b": 1}'],
            ['{"b": 1, "a": 2}', r'{"\u0061": 1}', '{"b": null}'],
        ),
        (schema({"type": "object", "properties": {'q"\\\0\u2028': {}}, "required": ['q"\\\0\u2028']}), ['{"q\\"\\\\\\u0000\u2028": 1}'], ["{}"]),
        (schema({"$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"}), ["[[], [[]]]"], ["[1]"]),
        (schema({"enum": ["a", 1, None, {"b": []}]}), ['"a"', "1", '{"b": []}'], ["2"]),
        (
            schema({"oneOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}], "$defs": {
                name: {"type": "object", "properties": {"is": {"const": name}}, "required": ["is"]} for name in "ab"}}),
            ['{"is": "a"}', '{"is":"b"}'],
            ['{"is": "c"}'],
        ),
        (Grammar(REGEX, "a/b|c\\/d|\n"), ["a/b", "c/d", "\n"], ["a", "ab"]),
        (Grammar(REGEX, r"(?i)yes\\?"), ["YES", "yes\\"], ["yes/"]),
        (Grammar(CHOICE, ["yes", 'n"o', "a\\b\n", "é😀"]), ["yes", 'n"o', "a\\b\n", "é😀"], ["no", "ye"]),
        (Grammar(LARK, 'start: "a" n\nn: NUMBER | "(" n ")"\n%import common.NUMBER'), ["a((12))", "a1.5"], ["a(1"]),
        (Grammar(LARK, 'start: %json {"type": "integer"} "!"'), ["12!"], ["x!"]),
    ],
)  # fmt: skip
def test_takes_what_it_should_and_nothing_else(
    compiler: Compiler, grammar: Grammar, good: list[str], bad: list[str]
) -> None:
    for text in good:
        constraint = compiler.constraint(grammar)
        assert says(constraint, text), text
        assert constraint.may_end, text
    for text in bad:
        constraint = compiler.constraint(grammar)
        assert not (says(constraint, text) and constraint.may_end), text


@pytest.mark.parametrize(
    ("grammar", "sentence"),
    [
        (schema({"properties": {"a": {"not": {}}}}), "format: /properties/a/not is not supported"),
        (schema({"if": {}, "then": {}}), "format: /if is not supported"),
        (schema({"items": {"uniqueItems": True}}), "format: /items/uniqueItems is not supported"),
        (schema({"contains": {}}), "/contains is not supported"),
        (schema({"propertyNames": {}}), "/propertyNames is not supported"),
        (schema({"dependentRequired": {}}), "/dependentRequired is not supported"),
        (schema({"unevaluatedProperties": False}), "/unevaluatedProperties is not supported"),
        (schema({"oneOf": [{"type": "number"}, {"type": "integer"}]}), "oneOf"),
        (schema({"type": "foo"}), "Invalid type: foo"),
        (schema({"type": "string", "format": "colour"}), "Unknown format: colour"),
        (schema({"$ref": "#/$defs/x"}), "'/\\$defs/x' does not exist"),
        (schema({"$ref": "http://127.0.0.1:1/x"}), "is not present"),
        (schema({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}), "nothing is what it asks for"),
        (schema({"type": "integer", "minimum": 3, "maximum": 1}), r"minimum \(3\) is greater than maximum"),
        (schema({"type": "integer", "multipleOf": 0}), "multiple of"),
        (schema({"type": "number", "minimum": 1e308}), "float range"),
        (schema({"type": "string", "minLength": 3, "maxLength": 1}), r"minLength \(3\) is greater than maxLength"),
        (schema({"type": "string", "pattern": "*"}), "repetition operator"),
        (schema({"type": "string", "pattern": "(?=a)b"}), "look-around"),
        (schema({"enum": []}), "anyOf is empty"),
        (schema({"properties": []}), "properties must be an object"),
        (schema({"type": "object", "required": "a"}), "Expected array for 'required'"),
        (schema({"type": "integer", "minimum": "3"}), "Expected f64 for 'minimum'"),
        (schema({"allOf": [{"type": "string"}, {"type": "integer"}]}), "incompatible types"),
        (schema({"oneOf": [{"const": n} for n in range(10_000)]}), "oneOf"),
        (schema({"enum": [f"a long value of no use {n}" for n in range(100_000)]}), "bytes of schema"),
        (Grammar(REGEX, "*"), "regex: .*repetition operator"),
        (Grammar(REGEX, "[z-a]"), "regex: .*class range"),
        (Grammar(REGEX, r"(a)\1"), "backreferences are not supported"),
        (Grammar(REGEX, "(" * 4000 + ")" * 4000), "more than 4096 characters"),
        (Grammar(REGEX, "(" * 2000 + ")" * 2000), "regex: "),
        (Grammar(CHOICE, []), "choice: a list of texts is needed"),
        (Grammar(CHOICE, ["a", ""]), "none of them empty"),
        (Grammar(CHOICE, ["a"] * 4097), "more than 4096 texts"),
        (Grammar(LARK, ""), "grammar: no start rule"),
        (Grammar(LARK, "start: ("), "grammar: .*Expected token"),
        (Grammar(LARK, "start: foo"), 'unknown name: "foo"'),
        (Grammar(LARK, "start: <|nope|>"), "unknown special token"),
        (Grammar(LARK, "start: <[99999]>"), "too large"),
        (Grammar(LARK, "start: @top"), "grammar: "),
        (Grammar(LARK, "%import os.path\nstart: path"), "Unknown common regex"),
        (Grammar(LARK, 'start: "a\0"'), "lexer error"),
        (Grammar(LARK, "start: " + "(" * 5000 + '"a"' + ")" * 5000), "nested"),
        (Grammar(LARK, "start: r0\n" + "\n".join(f"r{n}: r{n + 1}" for n in range(600))), "more than 500 rules"),
        (Grammar(LARK, "start: /" + "a?" * 20_000 + "/"), "more than 32768 characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_enforced_is_told(
    compiler: Compiler, grammar: Grammar, sentence: str
) -> None:
    with pytest.raises(InvalidRequest, match=sentence) as failure:
        compiler.constraint(grammar)
    assert "\n" not in str(failure.value)
    assert len(str(failure.value)) < 600


@pytest.mark.parametrize(
    "grammar",
    [
        Grammar(LARK, "start: r0\n" + "\n".join(f"r{n}: r{n + 1}" for n in range(490)) + '\nr490: "x"'),
        Grammar(LARK, "start: A0\n" + "\n".join(f'A{n}: "a" A{n + 1}' for n in range(490)) + '\nA490: "x"'),
        Grammar(LARK, "start: x{1,1000000000}\nx: y{0,1000}\ny: \"b\" y | \"c\""),
        Grammar(REGEX, "((a|b)*c(a|b){1,300}d){1,300}"),
        Grammar(REGEX, "a?" * 2048),
        Grammar(CHOICE, [f"text {n}" for n in range(4096)]),
        schema({"$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(990)} | {"d990": {"type": "null"}}, "$ref": "#/$defs/d0"}),
        schema({"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(1000)}}),
    ],
)  # fmt: skip
def test_what_is_large_but_within_bounds_is_compiled(
    compiler: Compiler, grammar: Grammar
) -> None:
    assert next_tokens(compiler.constraint(grammar))


def test_a_thought_is_free_until_its_end(compiler: Compiler) -> None:
    constraint = compiler.constraint(ANY_OBJECT, Thought("<think>", "</think>"))
    assert next_tokens(constraint) == {ord("<")}
    assert says(constraint, '<think>{"not this'), "a thought may hold anything"
    assert END not in next_tokens(constraint)
    assert not constraint.may_end
    assert says(constraint, "</think>\n\n{}")
    assert constraint.is_complete


def test_a_token_may_hold_the_end_of_a_thought_and_more(compiler: Compiler) -> None:
    constraint = compiler.constraint(ANY_OBJECT, Thought("", "</think>"))
    tokens = vocabulary().tokens
    assert says(constraint, "so</think")
    assert tokens.index(b'>{"a') in next_tokens(constraint)
    assert constraint.follow([tokens.index(b'>{"a')])
    assert says(constraint, '": 1}')
    assert constraint.is_complete


def test_goes_on_from_a_beginning_where_it_is_one(compiler: Compiler) -> None:
    grammar = schema(
        {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}
    )
    assert says(compiler.constraint(grammar, prefill='{"a"'), ": 1}")
    assert says(compiler.constraint(grammar, prefill="Here it is: "), '{"a": 1}')


def test_what_was_compiled_is_kept_and_copies_are_apart() -> None:
    reads = []

    def read() -> Vocabulary:
        reads.append(1)
        return vocabulary()

    compiler = Compiler(read)
    first, second = (compiler.constraint(ANY_OBJECT) for _ in range(2))
    assert says(first, '{"a')
    assert says(second, "{}")
    assert reads == [1]


def test_many_large_grammars_leave_a_bounded_cache(compiler: Compiler) -> None:
    for n in range(80):
        compiler.constraint(schema({"const": f"{n}" + "x" * 100_000}))
    kept = compiler._compiled
    assert len(kept) <= 64
    assert sum(map(len, kept)) <= 4 << 20
    assert says(compiler.constraint(ANY_OBJECT), "{}")


def test_many_threads_may_compile() -> None:
    compiler, found = Compiler(vocabulary), []

    def is_compiled(number: int) -> bool:
        return says(compiler.constraint(schema({"const": number})), str(number))

    def compile_some(start: int) -> None:
        found.extend(is_compiled(start + n) for n in range(20))

    threads = [
        threading.Thread(target=compile_some, args=(n,)) for n in range(0, 40, 10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 80


def test_a_vocabulary_without_an_end_is_told() -> None:
    endless: Any = Vocabulary([b"a"], [], [])
    with pytest.raises(InvalidRequest, match="no token that ends"):
        Compiler(lambda: endless).constraint(ANY_OBJECT)
