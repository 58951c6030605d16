"""Budgets of thoughts, and which control tokens are seen: a real engine on the tiny model."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ollapy.chat.formats import HEADERS, Format
from ollapy.chat.parser import Parsed, Parser
from ollapy.engine.budget import Budget
from ollapy.engine.engine import Engine
from ollapy.engine.sequence import Sequence
from ollapy.llama.model import Model
from tests.support.engines import run
from tests.support.parsing import joined

Ask = Callable[..., Sequence]
FORM = Format(thought=("<think>", "</think>"))
QUESTION = "What is 37 + 48?"


def with_budget(sequence: Sequence, model: Model, limit: int) -> Sequence:
    end = model.vocabulary.tokenize(FORM.end_of_thought, begins=False)
    sequence.budget = Budget(Parser(FORM), limit, [end])
    return sequence


def read(text: str) -> Parsed:
    parser = Parser(FORM)
    return joined([*parser.feed(text), *parser.finish()])


def test_a_thought_that_grows_too_long_is_ended_and_answered(
    engine: Engine, model: Model, ask: Ask
) -> None:
    free = read(run(engine, ask(QUESTION))[0])
    sequence = with_budget(ask(QUESTION), model, 5)
    cut = read(run(engine, sequence)[0])

    assert sequence.budget is not None
    assert sequence.budget.spent
    assert free.thinking.startswith(cut.thinking)
    assert 0 < len(cut.thinking) < len(free.thinking)
    assert cut.content


@pytest.mark.parametrize("limit", [500, 100_000])
def test_a_thought_within_its_budget_is_left_alone(
    engine: Engine, model: Model, ask: Ask, limit: int
) -> None:
    sequence = with_budget(ask(QUESTION), model, limit)

    assert run(engine, sequence) == run(engine, ask(QUESTION))
    assert sequence.budget is not None
    assert not sequence.budget.spent


def test_an_answer_without_a_thought_takes_nothing_from_the_budget(
    engine: Engine, model: Model, ask: Ask
) -> None:
    text = "Say hello."
    sequence = with_budget(ask(text, think=False), model, 0)

    assert run(engine, sequence) == run(engine, ask(text, think=False))


def test_no_tokens_end_a_thought_with_its_first_word(
    engine: Engine, model: Model, ask: Ask
) -> None:
    answer = read(run(engine, with_budget(ask(QUESTION), model, 0))[0])

    assert answer.thinking == ""
    assert answer.content


class _Always:
    """A reader of an answer that is all thought."""

    is_thinking = True

    def feed(self, text: str) -> None:
        """Whatever it says."""


@pytest.mark.parametrize("seen", [True, False])
def test_control_tokens_are_seen_only_where_they_are_meant_for_the_reader(
    engine: Engine, model: Model, ask: Ask, seen: bool
) -> None:
    """The model is made to say two of them."""
    said = model.vocabulary.tokenize("a<|im_start|>b", begins=False)
    sequence = ask("Hi", max_tokens=len(said))
    sequence.budget = Budget(_Always(), 0, [said])
    if seen:
        sequence.visible = model.vocabulary.controls_in(["<|im_start|>user"])

    assert run(engine, sequence) == ["a<|im_start|>b" if seen else "ab"]


def test_a_stop_string_of_control_tokens_stops(
    engine: Engine, model: Model, ask: Ask
) -> None:
    stop = "<|im_start|>"
    sequence = ask("Hi", stop=(stop,))
    sequence.budget = Budget(
        _Always(), 0, [model.vocabulary.tokenize(f"a{stop}b", begins=False)]
    )
    sequence.visible = model.vocabulary.controls_in([stop])

    assert run(engine, sequence) == ["a"]
    assert str(sequence.finish_reason) == "stop"


def test_a_model_that_thinks_again_is_led_to_its_answer() -> None:
    """Between messages it may call a tool instead; a second thought is ended at once, and so is no third."""
    form = Format(headers=HEADERS[0])
    turn, answer = form.ends_of_thought(may_call=True, must_call=False)
    budget = Budget(Parser(form), 2, [[*turn.encode()], [*answer.encode()]])

    def said(text: str) -> str:
        """What the model says, and what is put into its mouth then."""
        forced = b""
        for piece in text:
            assert budget.take() is None
            budget.spend(piece)
        while (token := budget.take()) is not None:
            budget.spend(chr(token))
            forced += bytes([token])
        return forced.decode()

    assert said("<|channel|>analysis<|message|>Hm") == turn
    assert said("<|channel|>analysis<|message|>") == answer
    assert said("Yes.") == ""
