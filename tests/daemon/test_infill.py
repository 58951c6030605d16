"""Fill in the middle, raw prompts, prefill and prompts that are only rendered, over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.make_gguf.vocabulary import CONTROLS
from tests.support.daemon import Daemon
from tests.support.marked import write_marked
from tests.support.models import add_model

BEGIN = CONTROLS[0]
KEYS = ("fim_pre", "fim_suf", "fim_mid")


def rendered(daemon: Daemon, path: str = "/api/generate", **body: Any) -> str:
    """The prompt that a request comes to."""
    response = daemon.post(
        path, **{"model": "tiny", **body, "_debug_render_only": True}
    )
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["done"]
    assert "eval_count" not in answer
    text: str = answer["_debug_info"]["rendered_template"]
    return text


@pytest.mark.parametrize(
    ("marks", "keys", "expected"),
    [
        (["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"], (), "<|fim_prefix|>be<|fim_suffix|>fore<|fim_middle|>"),
        (["<fim_prefix>", "<fim_suffix>", "<fim_middle>"], (), "<fim_prefix>be<fim_suffix>fore<fim_middle>"),
        (["<PRE>", "<SUF>", "<MID>"], (), "<PRE>be<SUF>fore<MID>"),
        (["<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"], (), "<|code_prefix|>be<|code_suffix|>fore<|code_middle|>"),
        (["(one)", "(two)", "(three)"], KEYS, "(one)be(two)fore(three)"),
        (["[PREFIX]", "[SUFFIX]"], (), "[SUFFIX]fore[PREFIX]be"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("adds_bos", [False, True])
def test_a_gap_is_put_between_the_models_marks(
    daemon: Daemon,
    tmp_path: Path,
    marks: list[str],
    keys: tuple[str, ...],
    expected: str,
    adds_bos: bool,
) -> None:
    write_marked(
        weights := tmp_path / "marked.gguf", marks, keys=keys, adds_bos=adds_bos
    )
    add_model(daemon.models, "marked", weights)
    text = rendered(daemon, model="marked", prompt="be", suffix="fore")
    assert text == (BEGIN if adds_bos else "") + expected
    answer = daemon.generate(
        "be", model="marked", suffix="fore", options={"num_predict": 3}
    )
    assert answer["prompt_eval_count"] == len("before") + len(marks) + adds_bos
    daemon.delete("marked")


def test_marks_in_the_text_are_no_marks(daemon: Daemon) -> None:
    answer = daemon.generate(
        "a<|fim_middle|>", suffix="<|fim_suffix|>", options={"num_predict": 1}
    )
    plain = daemon.generate("a", suffix="", raw=True, options={"num_predict": 1})
    assert answer["prompt_eval_count"] > plain["prompt_eval_count"] + 8


def test_a_prompt_may_be_empty_where_a_suffix_is_not(daemon: Daemon) -> None:
    assert (
        rendered(daemon, suffix="end")
        == "<|fim_prefix|><|fim_suffix|>end<|fim_middle|>"
    )


@pytest.mark.parametrize(
    "marks", [[], ["<|fim_prefix|>", "<|fim_suffix|>"], ["[PREFIX]"]]
)
def test_a_model_without_marks_says_so_in_ollamas_words(
    daemon: Daemon, tmp_path: Path, marks: list[str]
) -> None:
    write_marked(weights := tmp_path / "plain.gguf", marks)
    add_model(daemon.models, "plain", weights)
    assert (
        "insert" not in daemon.post("/api/show", model="plain").json()["capabilities"]
    )
    response = daemon.post("/api/generate", model="plain", prompt="a", suffix="b")
    assert response.status_code == 400
    assert response.json() == {
        "error": "registry.ollama.ai/library/plain:latest does not support insert"
    }
    daemon.delete("plain")


def test_only_rendering_shows_the_prompt_of_every_kind(daemon: Daemon) -> None:
    user = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    messages = [{"role": "user", "content": "Hello"}]
    closed = "<think>\n\n</think>\n\n"
    assert rendered(daemon, prompt="Hello") == user
    assert rendered(daemon, prompt="Hello", think=False) == user + closed
    assert rendered(daemon, prompt="Hello", raw=True) == "Hello"
    assert (
        rendered(daemon, prompt="Hello", system="Be brief.")
        == f"<|im_start|>system\nBe brief.<|im_end|>\n{user}"
    )
    assert rendered(daemon, "/api/chat", messages=messages, stream=False) == user
    prefilled = [*messages, {"role": "assistant", "content": "Hi, I"}]
    assert (
        rendered(daemon, "/api/chat", messages=prefilled, think=False)
        == f"{user}{closed}Hi, I"
    )


def test_a_context_is_put_before_the_prompt(daemon: Daemon) -> None:
    first = daemon.generate("My name is Grace.")
    text = rendered(
        daemon, prompt="What is my name?", context=first["context"], think=False
    )
    assert (
        text.index("My name is Grace.")
        < text.index(first["response"])
        < text.index("What is my name?")
    )


def test_a_raw_prompt_is_not_rendered_even_with_a_system_text_in_the_model(
    daemon: Daemon, tmp_path: Path
) -> None:
    write_marked(weights := tmp_path / "spoken.gguf", [])
    add_model(daemon.models, "spoken", weights, system=b"Be brief.")
    assert rendered(daemon, model="spoken", prompt="Hello", raw=True) == "Hello"
    assert "Be brief." in rendered(daemon, model="spoken", prompt="Hello")
    daemon.delete("spoken")
