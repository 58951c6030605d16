"""What becomes of an answer that nobody thought of."""

from __future__ import annotations

from typing import Any

import pytest

from ollapy.api.options import SamplingParams
from ollapy.api.report import ContextReport
from ollapy.chat.formats import Format
from ollapy.chat.parser import Parsed, Parser
from ollapy.engine.answer import Output
from ollapy.engine.sequence import Sequence
from ollapy.runner.protocol import Chunk, Failed
from ollapy.runner.reply import Reply
from ollapy.runner.service import Service


class _Broken(Parser):
    def feed(self, text: str) -> list[Parsed]:
        if text == "bad":
            raise ZeroDivisionError
        return super().feed(text)


class _Thread:
    def __init__(self) -> None:
        self.cancelled: list[int] = []

    def cancel(self, request_id: int) -> None:
        self.cancelled.append(request_id)


def test_an_answer_that_cannot_be_read_ends_in_an_error_and_no_other_does(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent: list[Any] = []
    service, thread = Service(sent.append), _Thread()
    service._thread = thread  # type: ignore[assignment]
    sequences = [Sequence(i, [1], SamplingParams(), 8) for i in (1, 2)]
    for sequence in sequences:
        reply = Reply(sequence, _Broken(Format()), ContextReport(8, 1), str)
        service._replies[sequence.id] = reply

    service._on_event([Output(sequences[0], "bad"), Output(sequences[1], "good")])
    service._on_event([Output(sequences[0], "more")])

    failed, told = sent
    assert isinstance(failed, Failed)
    assert (failed.id, failed.message) == (
        1,
        "the answer could not be read, see the daemon's log",
    )
    assert isinstance(told, Chunk)
    assert (told.id, told.content) == (2, "good")
    assert thread.cancelled == [1]
    assert "ZeroDivisionError" in caplog.text
