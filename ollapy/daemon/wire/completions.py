"""Completions: texts gone on with as they are, by OpenAI's older API. Pure."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

from ollapy.api import sse
from ollapy.api.ollama import GenerateRequest, GenerateResponse, Logprob
from ollapy.api.openai import Completion, CompletionRequest, TextChoice, TextLogprobs
from ollapy.errors import InvalidRequest, OllapyError, Unsupported

from . import asked, failures, ranges
from .told import new_id, usage

_MAX_PROMPTS = 128


def prompts(body: CompletionRequest) -> list[str | list[int]]:
    """What to go on with: texts, or lists of tokens."""
    given = [body.prompt] if isinstance(body.prompt, str) else body.prompt or []
    tokens = [item for item in given if isinstance(item, int)]
    found = [item for item in given if not isinstance(item, int)]
    if tokens and found:
        raise InvalidRequest("prompt mixes tokens with texts, give one or the other")
    found = [tokens] if tokens else found
    if not found or not all(found):
        raise InvalidRequest("prompt must not be empty")
    if len(found) > _MAX_PROMPTS:
        raise InvalidRequest(
            f"prompt has {len(found)} texts, at most {_MAX_PROMPTS} are taken"
        )
    return found


def requests(body: CompletionRequest) -> list[GenerateRequest]:
    """The raw generations that make the choices, those of the same prompt side by side."""
    _check(body)
    options = asked.options(body, body.max_tokens)
    shared = {
        **asked.own(body),
        "raw": True,
        "suffix": body.suffix,
        "logprobs": body.logprobs is not None or _num_tries(body) > _num_kept(body),
        "top_logprobs": body.logprobs,
        "prompt_logprobs": body.logprobs if body.echo else None,
        "logit_bias": body.logit_bias,
    }
    return [
        GenerateRequest(options=asked.seeded(options, i), **_prompt(prompt), **shared)
        for prompt in prompts(body)
        for i in range(_num_tries(body))
    ]


def completion(
    body: CompletionRequest, texts: Sequence[str], answers: Sequence[GenerateResponse]
) -> Completion:
    """The whole answer; `texts` are the prompts', empty where they are not to be repeated."""
    tries, kept = _num_tries(body), _num_kept(body)
    best: list[tuple[str, GenerateResponse]] = []
    for start in range(0, len(answers), tries):
        group = answers[start : start + tries]
        ranked = sorted(group, key=_likelihood, reverse=True) if tries > kept else group
        best += [(texts[start // tries], answer) for answer in ranked[:kept]]
    return Completion(
        id=new_id("cmpl-"),
        created=int(time.time()),
        model=body.model,
        choices=[_choice(body, i, *pair) for i, pair in enumerate(best)],
        usage=usage(answers, len(texts)),
    )


class Texts:
    """A streamed completion: for each choice its prompt if wanted, its pieces and one finish."""

    media_type = sse.MEDIA_TYPE
    beat = sse.BEAT

    def __init__(self, body: CompletionRequest, texts: Sequence[str]) -> None:
        if _num_tries(body) > _num_kept(body):
            raise InvalidRequest("best_of cannot be streamed, it is known at the end")
        self._body = body
        self._texts = texts
        self._id, self._created = new_id("cmpl-"), int(time.time())
        self._offsets: dict[int, int] = {}
        self._finals: dict[int, GenerateResponse] = {}

    def feed(self, item: tuple[int, GenerateResponse]) -> bytes:
        """The events of a choice's next record."""
        index, record = item
        text = (
            ""
            if index in self._offsets
            else self._texts[index // _num_kept(self._body)]
        )
        choice = _choice(self._body, index, text, record, self._offsets.get(index, 0))
        self._offsets[index] = self._offsets.get(index, 0) + len(choice.text)
        if record.done:
            self._finals[index] = record
        return self._event([choice])

    def finish(self) -> bytes:
        """The end of a stream that is whole."""
        options = self._body.stream_options
        if not options or not options.include_usage:
            return sse.DONE
        finals = [self._finals[index] for index in sorted(self._finals)]
        return self._event([], usage=usage(finals, len(self._texts))) + sse.DONE

    def fail(self, exc: OllapyError) -> bytes:
        """The end of one that is not."""
        return sse.event(failures.of_openai(exc))

    def _event(self, choices: list[TextChoice], **more: Any) -> bytes:
        return sse.event(
            Completion(
                id=self._id,
                created=self._created,
                model=self._body.model,
                choices=choices,
                **more,
            )
        )


def _check(body: CompletionRequest) -> None:
    asked.num_choices("n", body.n)
    asked.num_choices("best_of", body.best_of)
    if body.best_of is not None and body.best_of < _num_kept(body):
        raise InvalidRequest("best_of must not be less than n")
    ranges.check(body, {**ranges.OPENAI, "logprobs": (0, 20)})
    ranges.check_bias(body.logit_bias)
    if body.suffix and not all(isinstance(p, str) for p in prompts(body)):
        raise Unsupported("suffix needs a prompt of text, not of tokens")
    if body.suffix and body.echo:
        raise Unsupported("echo and suffix do not go together")


def _num_kept(body: CompletionRequest) -> int:
    return body.n or 1


def _num_tries(body: CompletionRequest) -> int:
    return body.best_of or _num_kept(body)


def _prompt(prompt: str | list[int]) -> dict[str, Any]:
    return {"prompt": prompt} if isinstance(prompt, str) else {"tokens": prompt}


def _likelihood(answer: GenerateResponse) -> float:
    """How likely a token was on average."""
    points = answer.logprobs or []
    return sum(p.logprob for p in points) / len(points) if points else -math.inf


def _choice(
    body: CompletionRequest,
    index: int,
    text: str,
    record: GenerateResponse,
    offset: int = 0,
) -> TextChoice:
    found = None
    if body.logprobs is not None:
        unscored = _unscored(text, record.prompt_logprobs or [])
        points = [*(record.prompt_logprobs or []), *(record.logprobs or [])]
        found = _logprobs(unscored, points, offset)
    reason = (record.done_reason or "stop") if record.done else None
    return TextChoice(index, text + record.response, found, reason)


def _unscored(text: str, points: list[Logprob]) -> str:
    """The beginning of a prompt, which follows nothing and so has no probability."""
    data = text.encode("utf-8", "replace")
    scored = sum(len(p.bytes) for p in points)
    return data[: max(len(data) - scored, 0)].decode("utf-8", "replace")


def _logprobs(unscored: str, points: Iterable[Logprob], offset: int) -> TextLogprobs:
    found = TextLogprobs([], [], [], [])
    rows: list[tuple[str, float | None, dict[str, float] | None]] = [
        (
            p.token,
            p.logprob,
            {**{t.token: t.logprob for t in p.top_logprobs}, p.token: p.logprob},
        )
        for p in points
    ]
    for token, logprob, top in [(unscored, None, None), *rows] if unscored else rows:
        found.tokens.append(token)
        found.token_logprobs.append(logprob)
        found.top_logprobs.append(top)
        found.text_offset.append(offset)
        offset += len(token)
    return found
