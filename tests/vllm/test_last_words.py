"""Why a server ended, as its log tells."""

from __future__ import annotations

import pytest

from ollapy.vllm.last_words import LastWords


def reason(*lines: str) -> str:
    words = LastWords()
    for line in lines:
        words.add(line)
    return words.reason


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "(EngineCore_DP0 pid=71) ERROR 11-26 09:00:01 [core.py:700] ValueError: too long",
            "ValueError: too long",
        ),
        (
            "(APIServer pid=7) OSError: /srv/models/x has no config.json",
            "OSError: … has no config.json",
        ),
        (
            "vllm serve: error: unrecognized arguments: --foo",
            "vllm serve: error: unrecognized arguments: --foo",
        ),
        (
            "huggingface_hub.errors.GatedRepoError: 401, see https://hf.co/a/b",
            "huggingface_hub.errors.GatedRepoError: 401, see https://hf.co/a/b",
        ),
        (
            "torch.OutOfMemoryError: CUDA \x1b[1mout\x1b[0m",
            "torch.OutOfMemoryError: CUDA \\x1b[1mout\\x1b[0m",
        ),
    ],
)
def test_the_error_without_what_is_around_it(line: str, told: str) -> None:
    assert reason("INFO 11-26 09:00:00 [a.py:1] begun", line, "  at the end") == told


def test_one_that_points_above_is_only_told_alone() -> None:
    above = "RuntimeError: Engine core initialization failed. See root cause above."
    assert reason("ValueError: no memory", above, "[rank0] bye") == "ValueError: no memory"  # fmt: skip
    assert reason("INFO begun", above) == above


def test_a_cause_is_told_before_what_follows_from_it() -> None:
    died = "Worker proc VllmWorker-0 died unexpectedly (exit code: -4), shutting down executor."
    prefix = "(EngineCore pid=31) ERROR 11-26 11:03:31 [multiproc_executor.py:315] "
    assert reason(prefix + died, "RuntimeError: cancelled", "EngineDeadError: see (above)") == died  # fmt: skip


def test_without_an_error_it_is_the_last_line() -> None:
    assert reason("one", "", "INFO 11-26 09:00:00 [a.py:1] two", " ") == "two"
    assert reason() == ""
    assert len(reason("x" * 5000)) == 300
