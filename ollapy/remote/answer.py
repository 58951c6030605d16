"""Answer: a streamed completion of another server, as the events that a runner sends. Pure but for its clock."""

from __future__ import annotations

from typing import Any

import msgspec

from ollapy.api.ollama import FunctionCall, Logprob, TokenLogprob, ToolCall
from ollapy.api.report import ContextReport
from ollapy.decoding import from_json, json_decoder
from ollapy.errors import RemoteError
from ollapy.runner.protocol import Chunk, Done, Usage

from .failures import refusal
from .model import RemoteModel


class _Function(msgspec.Struct, frozen=True):
    name: str | None = None
    arguments: str | None = None


class _CallDelta(msgspec.Struct, frozen=True):
    index: int = 0
    id: str | None = None
    function: _Function = _Function()


class _Delta(msgspec.Struct, frozen=True):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_CallDelta] | None = None


class _Candidate(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[_Candidate] | None = None


class _Logprobs(msgspec.Struct, frozen=True):
    """A chat's have `content`, a completion's the lists."""

    content: list[_Candidate] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class _Choice(msgspec.Struct, frozen=True):
    delta: _Delta = _Delta()
    text: str | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    logprobs: _Logprobs | None = None


class _Cached(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None


class _Thought(msgspec.Struct, frozen=True):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int | None = None
    prompt_tokens_details: _Cached | None = None
    completion_tokens_details: _Thought | None = None


class _Event(msgspec.Struct, frozen=True):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


class _Call(msgspec.Struct):
    """A call as far as it has come."""

    name: str = ""
    id: str = ""
    arguments: str = ""


_decode = json_decoder(_Event)


class Answer:
    """What has come of one answer. `began` and the times given are of one clock, in seconds."""

    def __init__(self, request_id: int, model: RemoteModel, began: float) -> None:
        self._id = request_id
        self._model = model
        self._began = began
        self._first: float | None = None
        self._usage = _Usage()
        self._calls: dict[int, _Call] = {}
        self._reason = self._stop = ""

    def feed(self, data: bytes, now: float) -> list[Chunk]:
        """The piece that an event adds, if any; RemoteError where it is none of an answer."""
        try:
            event = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise RemoteError(f"{self._model.host} gave a malformed answer") from exc
        if event.error is not None:
            raise refusal(self._model.host, _status(event.error), event.error)
        self._usage = event.usage or self._usage
        return [
            chunk for choice in event.choices[:1] for chunk in self._pieces(choice, now)
        ]

    def finish(self, now: float) -> list[Chunk | Done]:
        """What is told at the end: the calls, which are only then whole, and the counts."""
        if not self._reason:
            raise RemoteError(f"{self._model.host} ended an answer without a reason")
        calls, broken = self._whole_calls()
        told = Chunk(self._id, content="".join(broken), tool_calls=calls)
        error = (
            f"arguments of a call that are no JSON object: {broken[0][:200]}"
            if broken
            else ""
        )
        done = Done(
            self._id,
            "length" if self._reason == "length" else "stop",
            self._counts(now),
            self._context,
            [],
            parse_error=error,
            stop=self._stop,
        )
        return [told, done] if calls or broken else [done]

    def _pieces(self, choice: _Choice, now: float) -> list[Chunk]:
        delta = choice.delta
        for call in delta.tool_calls or []:
            self._extend(call)
        self._reason = choice.finish_reason or self._reason
        if isinstance(choice.stop_reason, str):
            self._stop = choice.stop_reason
        chunk = Chunk(
            self._id,
            content=choice.text or delta.content or "",
            thinking=delta.reasoning or delta.reasoning_content or "",
            logprobs=_logprobs(choice.logprobs),
        )
        if chunk == Chunk(self._id):
            return []
        return [self._begun(chunk, now)]

    def _begun(self, chunk: Chunk, now: float) -> Chunk:
        """The first piece tells of the prompt, where the server has."""
        if self._first is not None:
            return chunk
        self._first = now
        told = self._context if self._usage.prompt_tokens else None
        return msgspec.structs.replace(chunk, context=told)

    def _extend(self, delta: _CallDelta) -> None:
        call = self._calls.setdefault(delta.index, _Call())
        call.id = delta.id or call.id
        call.name += delta.function.name or ""
        call.arguments += delta.function.arguments or ""

    def _whole_calls(self) -> tuple[list[ToolCall], list[str]]:
        """The calls, and the texts of those that are none."""
        whole, broken = [], []
        for index, call in sorted(self._calls.items()):
            try:
                found = from_json(call.arguments or "{}", dict[str, Any])
            except (msgspec.DecodeError, RecursionError):
                broken.append(f"{call.name} {call.arguments}")
            else:
                function = FunctionCall(call.name, found, index)
                whole.append(ToolCall(function, call.id))
        return whole, broken

    @property
    def _context(self) -> ContextReport:
        cached = self._usage.prompt_tokens_details or _Cached()
        return ContextReport(
            self._model.num_ctx, self._usage.prompt_tokens, cached.cached_tokens or 0
        )

    def _counts(self, now: float) -> Usage:
        first = now if self._first is None else self._first
        thought = self._usage.completion_tokens_details or _Thought()
        return Usage(
            num_prompt=self._usage.prompt_tokens,
            num_generated=self._usage.completion_tokens or 0,
            queue_seconds=0.0,
            prefill_seconds=first - self._began,
            decode_seconds=now - first,
            num_preemptions=0,
            num_thinking=thought.reasoning_tokens or 0,
        )


def _status(error: Any) -> int:
    """The status that an error would have had before the answer began."""
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else 500


def _logprobs(given: _Logprobs | None) -> list[Logprob]:
    if given is None:
        return []
    found = given.content if given.content is not None else _of_lists(given)
    return [
        Logprob(
            c.token,
            c.logprob,
            _bytes(c),
            [TokenLogprob(t.token, t.logprob, _bytes(t)) for t in c.top_logprobs or []],
        )
        for c in found
    ]


def _of_lists(given: _Logprobs) -> list[_Candidate]:
    """A completion's, where a token that follows nothing has no probability."""
    tops = given.top_logprobs or [None] * len(given.tokens or [])
    rows = zip(given.tokens or [], given.token_logprobs or [], tops, strict=False)
    return [
        _Candidate(
            token, logprob, None, [_Candidate(*pair) for pair in (top or {}).items()]
        )
        for token, logprob, top in rows
        if logprob is not None
    ]


def _bytes(candidate: _Candidate) -> list[int]:
    return candidate.bytes or list(candidate.token.encode("utf-8", "replace"))
