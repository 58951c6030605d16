"""The engine on real models: the tiny one, whose answers are known, and scripted and random ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ollapy.engine.answer import Output
from ollapy.engine.engine import Engine
from ollapy.engine.sequence import FinishReason, Sequence
from ollapy.llama.context import Context, open_context
from ollapy.llama.model import Model
from scripts.make_gguf import write_random, write_scripted
from tests.support.engines import prompted, run, scored, step_interrupted

Ask = Callable[..., Sequence]
OpenFile = Callable[[Path], Model]

# Each with one right answer: where two tokens are as likely, as in a story, the shape of the batch decides.
QUESTIONS = [
    "What is the capital of Japan?",
    "What is 37 + 48?",
    "Count from 3 to 30.",
    "Why is the sky blue?",
    "Draw a llama.",
    "Say hello in Chinese.",
    "Sort these words: tiger, apple, needle",
    "Who are you?",
]


def test_the_tiny_model_knows(engine: Engine, ask: Ask) -> None:
    texts = run(
        engine,
        *(ask(text) for text in ("What is the capital of Japan?", "What is 37 + 48?")),
    )

    assert "Tokyo" in texts[0]
    assert (
        texts[1]
        == "<think>\n7 + 8 = 15, carry 1. 3 + 4 + 1 = 8. So 85.\n</think>\n\n37 + 48 = 85."
    )


def test_characters_split_over_tokens_come_out_whole(engine: Engine, ask: Ask) -> None:
    texts = run(
        engine,
        ask("Draw a llama.", think=False),
        ask("Say hello in Chinese.", think=False),
    )

    assert texts == ["🦙", "你好！"]


def test_eight_at_once_say_what_each_says_alone(engine: Engine, ask: Ask) -> None:
    alone = [run(engine, ask(text))[0] for text in QUESTIONS]

    assert run(engine, *(ask(text) for text in QUESTIONS)) == alone


def test_joining_at_any_step_changes_nobodys_answer(engine: Engine, ask: Ask) -> None:
    alone = [run(engine, ask(text))[0] for text in QUESTIONS]
    sequences = [ask(text) for text in QUESTIONS]
    texts = {s.id: "" for s in sequences}
    waiting = list(sequences)
    while waiting or engine.has_work:
        if waiting:
            engine.add(waiting.pop(0))
        for output in [*engine.step(), *engine.step()]:
            texts[output.sequence.id] += output.text
        engine.check()

    assert list(texts.values()) == alone


def test_more_sequences_than_slots(engine: Engine, ask: Ask) -> None:
    texts = run(engine, *(ask("What is 37 + 48?") for _ in range(50)))

    assert set(texts) == {run(engine, ask("What is 37 + 48?"))[0]}


def test_three_hundred_at_once(engine: Engine, ask: Ask) -> None:
    """With limits and stop strings of every kind, each answered as if alone."""
    kinds: list[tuple[dict[str, Any], str]] = [
        ({}, "The capital of Japan is Tokyo."),
        ({"max_tokens": 0}, ""),
        ({"max_tokens": 10**9, "stop": ("never",)}, "The capital of Japan is Tokyo."),
        ({"stop": ("T",)}, ""),
        ({"stop": (" Tokyo",)}, "The capital of Japan is"),
    ]
    asked = [
        ask("What is the capital of Japan?", think=False, **params)
        for params, _ in kinds * 60
    ]

    assert run(engine, *asked) == [answer for _, answer in kinds] * 60


def test_when_cells_run_out_answers_stay_the_same(model: Model, ask: Ask) -> None:
    """A pool far too small for eight: sequences are preempted and go on as if nothing had been."""
    with open_context(
        model, num_cells=256, max_sequences=8, num_batch=64, num_threads=2
    ) as small:
        engine = Engine(model, small)
        alone = run(engine, ask("Why is the sky blue?", limit=250))[0]
        texts = run(engine, *(ask("Why is the sky blue?", limit=250) for _ in range(8)))

        assert texts == [alone] * 8
        assert engine.stats["preemptions"] > 0


def test_cancelling_leaves_the_others_alone(engine: Engine, ask: Ask) -> None:
    alone = run(engine, ask("Why is the sky blue?"))[0]
    kept, dropped = ask("Why is the sky blue?"), ask("Count from 3 to 30.")
    engine.add(kept)
    engine.add(dropped)
    text = ""
    for turn in range(1000):
        if turn == 5:
            engine.cancel(dropped.id)
        text += "".join(o.text for o in engine.step() if o.sequence is kept)
        if not engine.has_work:
            break
    engine.cancel(dropped.id)

    assert text == alone
    assert dropped.finish_reason is None


@pytest.mark.parametrize(
    ("params", "text", "reason"),
    [
        pytest.param(
            {"stop": ("7 8",)}, "3 4 5 6 ", FinishReason.STOP, id="stop-string"
        ),
        pytest.param({"stop": ("3",)}, "", FinishReason.STOP, id="stop-at-once"),
        pytest.param(
            {"stop": ("nowhere",)}, "3 4 5 6 7 8 9", FinishReason.STOP, id="stop-never"
        ),
        pytest.param({"max_tokens": 3}, "3 4", FinishReason.LENGTH, id="length"),
        pytest.param({"max_tokens": 0}, "", FinishReason.LENGTH, id="no-tokens"),
        pytest.param(
            {"max_tokens": 10**9},
            "3 4 5 6 7 8 9",
            FinishReason.STOP,
            id="more-than-fits",
        ),
    ],
)
def test_how_an_answer_ends(
    engine: Engine, ask: Ask, params: dict[str, object], text: str, reason: FinishReason
) -> None:
    sequence = ask("Count from 3 to 9.", think=False, **params)

    assert run(engine, sequence) == [text]
    assert sequence.finish_reason is reason


def test_the_context_limit_ends_an_answer(engine: Engine, ask: Ask) -> None:
    sequence = ask("Write a long story.", limit=60)
    run(engine, sequence)

    assert (len(sequence.tokens), sequence.finish_reason) == (60, FinishReason.LENGTH)


def test_a_seed_repeats_and_no_seed_does_not(engine: Engine, ask: Ask) -> None:
    def story(seed: int | None) -> str:
        return run(engine, ask("Write a long story.", temperature=1.5, seed=seed))[0]

    assert story(3) == story(3)
    assert len({story(None) for _ in range(6)}) > 1


def test_logprobs(engine: Engine, ask: Ask) -> None:
    """Of each generated token, with its likeliest rivals; probabilities, so at most 1."""
    found = scored(engine, ask("What is 37 + 48?", logprobs=3))

    assert "".join(p.token for p in found).startswith("<think>\n7 + 8")
    assert all(p.logprob <= 0 and len(p.top_logprobs) == 3 for p in found)
    assert all(p.top_logprobs[0].token == p.token for p in found), (
        "greedy takes the likeliest"
    )
    assert all(bytes(p.bytes).decode("utf-8", "replace") == p.token for p in found)


def test_a_scripted_model_says_its_script_at_any_temperature(
    open_file: OpenFile, tmp_path: Path
) -> None:
    script = "Llamas 🦙🦙🦙 hum. 你好, ha ha ha ha ha!\nThe end."
    write_scripted(tmp_path / "scripted.gguf", script)
    model = open_file(tmp_path / "scripted.gguf")
    with open_context(
        model, num_cells=1024, max_sequences=4, num_batch=64, num_threads=2
    ) as context:
        engine = Engine(model, context)
        texts = run(
            engine,
            prompted(model, "anything", limit=1024),
            prompted(model, "else", limit=1024, temperature=2.0, top_k=0, top_p=1.0),
            prompted(
                model,
                "at all",
                limit=1024,
                temperature=1.0,
                min_p=0.1,
                typical_p=0.5,
                repeat_penalty=1.2,
            ),
        )

    assert texts == [script] * 3


def test_a_token_depends_on_its_own_sequence_alone(
    open_file: OpenFile, tmp_path: Path
) -> None:
    """A wrong position, a leaked sequence or a stale slot would move these log-probabilities."""
    write_random(tmp_path / "random.gguf")
    model = open_file(tmp_path / "random.gguf")
    with open_context(
        model, num_cells=2048, max_sequences=8, num_batch=64, num_threads=2
    ) as context:
        engine = Engine(model, context)
        texts = [f"{number} " * (30 + 10 * number) for number in range(8)]
        params = {"limit": 2048, "max_tokens": 1, "logprobs": 5}
        alone = [scored(engine, prompted(model, text, **params))[0] for text in texts]
        together = {}
        for text in texts:
            engine.add(sequence := prompted(model, text, **params))
            together[sequence.id] = text
        found = {}
        while engine.has_work:
            found |= {
                together[o.sequence.id]: o.logprob for o in engine.step() if o.logprob
            }

    for text, expected in zip(texts, alone, strict=True):
        top = [p.logprob for p in expected.top_logprobs]
        assert [p.logprob for p in found[text].top_logprobs] == pytest.approx(
            top, abs=0.02
        )


def test_damaged_weights_are_an_error_of_their_sequence(
    open_file: OpenFile, tmp_path: Path
) -> None:
    """B128: llama.cpp would repeat one token for ever."""
    write_random(tmp_path / "nan.gguf")
    data = bytearray((tmp_path / "nan.gguf").read_bytes())
    data[-4096:] = np.full(1024, np.nan, np.float32).tobytes()
    (tmp_path / "nan.gguf").write_bytes(data)
    model = open_file(tmp_path / "nan.gguf")
    with open_context(
        model, num_cells=512, max_sequences=2, num_batch=64, num_threads=2
    ) as context:
        engine = Engine(model, context)
        engine.add(prompted(model, "hello", limit=512))
        outputs = engine.step()

    assert "invalid numbers" in str(outputs[0].error)
    assert not engine.has_work


def test_an_output_says_by_itself_whether_it_is_the_last(
    engine: Engine, ask: Ask
) -> None:
    """Outputs are read on another thread, later than the engine wrote them."""
    engine.add(ask("What is the capital of Japan?", think=False))
    outputs: list[Output] = []
    while engine.has_work:
        outputs += engine.step()

    assert [output.is_last for output in outputs] == [False] * 7 + [True]


def test_a_prompt_is_given_up_half_way_and_what_was_read_of_it_stays(
    engine: Engine, ask: Ask
) -> None:
    """The interrupt comes from another thread while the decode is under way."""
    words = "apple river stone cloud tiger piano window garden silver rocket " * 180
    long = ask(f"Repeat after me: {words}", limit=16000)
    engine.add(long)
    engine.step()
    read = long.num_computed
    step_interrupted(engine, long)
    given_up = long.num_computed
    engine.cancel(long.id)
    again = ask(f"Repeat after me: {words}", limit=16000)
    engine.add(again)
    engine.step()

    assert 0 < read <= given_up < long.num_prompt - 1, "it was stopped before its end"
    assert again.num_cached == given_up
    engine.cancel(again.id)
    assert run(engine, ask("Draw a llama.", think=False)) == ["🦙"], (
        "and nothing is the worse for it"
    )


def test_a_memory_that_is_not_what_it_should_be_is_emptied(
    engine: Engine, context: Context, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    """Rather than answered from: here somebody has taken cells behind the engine's back."""
    before = run(engine, ask("What is the capital of Japan?"))
    engine.verify()
    assert not caplog.records
    context.remove(0, 5)
    engine.verify()
    assert "memory inconsistent" in caplog.text

    again = ask("What is the capital of Japan?")
    assert run(engine, again) == before
    assert again.num_cached == 0


def test_stats(engine: Engine, ask: Ask) -> None:
    one = ask("What is the capital of Japan?")
    run(engine, one)
    stats = engine.stats

    assert sum(stats["step_times"]) == stats["steps"] == one.num_generated
    assert stats["tokens"] == len(one.tokens) - 1
    assert stats["used_cells"] == len(one.tokens) - 1
    assert (stats["running"], stats["waiting"], stats["pinned_cells"]) == (0, 0, 0)
