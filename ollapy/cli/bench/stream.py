"""Stream: one answer, with what the daemon and the clock say of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread

from ollapy.api.ollama import GenerateRequest, GenerateResponse
from ollapy.client import Client
from ollapy.errors import OllapyError

# Ordinary words, to have ordinary tokens of.
_WORDS = (
    "river stone winter house green letter music table window garden bread silver morning paper "
    "road child summer forest market glass evening song bridge cloud horse island doctor field"
)


@dataclass(frozen=True, slots=True)
class Stream:
    """The last record, and when the first and the last came."""

    last: GenerateResponse
    first_at: float
    ended_at: float

    @property
    def read_rate(self) -> float:
        """Tokens a second, of those that were not in memory."""
        cached = self.last.ollapy.context.cached_tokens if self.last.ollapy else 0
        return _rate(
            self.last.prompt_eval_count - cached, self.last.prompt_eval_duration
        )

    @property
    def generated_rate(self) -> float:
        """Tokens a second, behind the first."""
        return _rate(self.last.eval_count - 1, self.last.eval_duration)


class Asker:
    """Asks one model for answers of a given length to prompts of a given length. `connect` makes a client."""

    def __init__(self, connect: Callable[[], Client], model: str) -> None:
        self._connect = connect
        self._model = model
        self._random = random.Random(1)
        with connect() as client:
            self._tokens = client.tokenize(model, _WORDS)
            info = client.show(model).model_info
        ends = (info.get(f"tokenizer.ggml.{n}_token_id") for n in ("eos", "eot", "eom"))
        self._never = {str(token): -1000.0 for token in ends if token is not None}

    def prompt(self, length: int) -> list[int]:
        """Tokens like no others."""
        return self._random.choices(self._tokens, k=length)

    def ask(self, prompt: list[int], max_tokens: int) -> Stream:
        """One answer, from a connection of its own."""
        request = GenerateRequest(
            self._model,
            options={"num_predict": max_tokens, "temperature": 0, "stop": []},
            logit_bias=self._never,
            raw=True,
            tokens=prompt,
        )
        with self._connect() as client, closing(client.generate(request)) as records:
            last = next(records)
            first_at = time.perf_counter()
            for record in records:
                last = record
        return Stream(last, first_at, time.perf_counter())

    def ask_all(self, prompts: list[list[int]], max_tokens: int) -> list[Stream]:
        """Answers at the same time; the first error of any."""
        done: SimpleQueue[Stream | OllapyError] = SimpleQueue()

        def one(prompt: list[int]) -> None:
            try:
                done.put(self.ask(prompt, max_tokens))
            except OllapyError as exc:
                done.put(exc)

        for prompt in prompts:  # Ctrl-C does not wait for them
            Thread(target=one, args=[prompt], daemon=True).start()
        return [_checked(done.get()) for _ in prompts]


def _checked(found: Stream | OllapyError) -> Stream:
    if isinstance(found, OllapyError):
        raise found
    return found


def _rate(tokens: int, nanoseconds: int) -> float:
    return tokens / nanoseconds * 1e9 if nanoseconds else 0.0
