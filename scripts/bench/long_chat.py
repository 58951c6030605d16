"""A long conversation on its way to the engine: how long it takes, and whether the answers of others wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from statistics import median

from .host import Host
from .report import Row
from .streams import Record, arrivals

_NUM_TOKENS = 30_000
_NUM_TURNS = 60
_NUM_CHATS = 4  # in each round
_APART = 0.5  # seconds between two
_STREAM: Record = {
    "model": "tiny",
    "prompt": "Once upon a time",
    "raw": True,
    "options": {"temperature": 0, "num_predict": 3500, "frequency_penalty": -100},
}


def long_chat(host: Host, rounds: int) -> Iterator[Row]:
    """Chats of 30,000 tokens rendered and tokenised, one after the other, while another answer streams."""
    with host.daemon():
        chat = _chat(host)
        with _streaming(host) as gaps:
            spans = [_send(host, chat) for _ in range(_NUM_CHATS * rounds)]
    took = [ended - began for began, ended in spans]
    yield Row(
        "30k tokens rendered and tokenised",
        median(took) * 1e3,
        "ms",
        150,
        f"longest {max(took) * 1e3:.0f} ms",
    )
    # of spans as long, in which no chat came
    others = [
        (ended + _APART / 4, 2 * ended - began + _APART / 4) for began, ended in spans
    ]
    during, quiet = _longest(gaps, spans), _longest(gaps, others)
    detail = f"{during * 1e3:.1f} ms against {quiet * 1e3:.1f} ms without"
    yield Row("longest gap of another stream meanwhile", during / quiet, "x", 2, detail)


def _chat(host: Host) -> Record:
    """A conversation of that many tokens, as the model counts them."""
    words = "It was a fine day and the cat sat on the mat by the door. "
    one = {"role": "user", "content": words * 10}
    each = host.call("POST", "/api/chat", _asked([one]))["prompt_eval_count"]
    size = max(1, round(10 * _NUM_TOKENS / _NUM_TURNS / each))
    roles = ("user", "assistant")
    turns = [
        {"role": roles[n % 2], "content": words * size} for n in range(_NUM_TURNS - 1)
    ]
    return _asked(turns)


def _asked(messages: list[Record]) -> Record:
    return {
        "model": "tiny",
        "messages": messages,
        "stream": False,
        "_debug_render_only": True,
        "truncate": False,
    }


def _send(host: Host, chat: Record) -> tuple[float, float]:
    """When one was sent and when its answer was there; RuntimeError where it had too few tokens."""
    time.sleep(_APART)
    began = time.perf_counter()
    answer = host.call("POST", "/api/chat", chat)
    ended = time.perf_counter()
    if answer["prompt_eval_count"] < 0.9 * _NUM_TOKENS:
        raise RuntimeError(f"only {answer['prompt_eval_count']} tokens were rendered")
    return began, ended


@contextmanager
def _streaming(host: Host) -> Iterator[list[tuple[float, float]]]:
    """Answers that stream one after the other while the block runs, and between which instants nothing came."""
    gaps, is_over = list[tuple[float, float]](), threading.Event()

    def stream() -> None:
        while not is_over.is_set():
            gaps.extend(pairwise(arrivals(host.port, _STREAM, is_over)))

    thread = threading.Thread(target=stream)
    thread.start()
    try:
        yield gaps
    finally:
        is_over.set()
        thread.join()


def _longest(
    gaps: list[tuple[float, float]], spans: list[tuple[float, float]]
) -> float:
    """The median of the longest gaps that reach into each of the spans."""
    longest = [
        max(
            (end - start for start, end in gaps if start < ended and end > began),
            default=None,
        )
        for began, ended in spans
    ]
    return median(gap for gap in longest if gap is not None)
