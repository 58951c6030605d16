"""Renderer: a conversation to the prompt that its model was trained on, fitted to the context."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ollapy.api.ollama import Message, Tool
from ollapy.api.report import ContextReport
from ollapy.errors import PromptTooLong

from . import roles
from .foreign import Vocabulary, tokenized
from .traits import Traits
from .turns import standing, turns

# Characters at a prompt's end to look at where its template is a stranger.
_MAX_OPENING = 64


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered conversation: its text, its tokens, and what became of it on the way.

    `opening` is what it has at its end to ask for an answer, `prefill` the part of the answer that was given.
    """

    text: str
    tokens: list[int]
    report: ContextReport
    opening: str = ""
    prefill: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt's text: `body` ends with `opening`, and `prefill` follows it."""

    body: str
    opening: str = ""
    prefill: str = ""

    @property
    def text(self) -> str:
        """All of it."""
        return self.body + self.prefill


class Renderer:
    """One model's template and special tokens, with its tokenizer.

    `render` takes a template's variables, `traits` is what was learned of it; a model without a template has
    neither.
    """

    def __init__(
        self,
        render: Callable[[dict[str, Any]], str] | None,
        traits: Traits,
        vocabulary: Vocabulary,
        *,
        bos: str,
        eos: str,
        adds_bos: bool,
    ) -> None:
        self._render = render
        self._traits = traits
        self._vocabulary = vocabulary
        self._special = {"bos_token": bos, "eos_token": eos}
        self._bos = bos if adds_bos else ""

    def render(
        self,
        messages: list[Message],
        tools: list[Tool] | None,
        think: bool | str | None,
    ) -> Rendered:
        """The prompt's text. A last message by the assistant is continued, not answered."""
        prefill, messages = _split(messages)
        if self._render is None:
            return Rendered("\n".join(m.content or "" for m in messages), "", prefill)
        text = self._text(messages, tools, think)
        roles.check(messages, lambda marked: self._text(marked, tools, think))
        # the tokenizer puts the BOS there itself; two of them harm the answer
        return self._opened(text.removeprefix(self._bos), think, prefill)

    def _text(
        self,
        messages: list[Message],
        tools: list[Tool] | None,
        think: bool | str | None,
    ) -> str:
        assert self._render is not None
        return self._render(
            {
                "messages": turns(messages, self._traits),
                "add_generation_prompt": True,
                **self._special,
                **standing(tools),
                **self._thinking(think),
            }
        )

    def _thinking(self, think: bool | str | None) -> dict[str, Any]:
        """The variables that tell the template whether to think, and how hard."""
        if think is None:
            return {}
        traits = self._traits
        if not isinstance(think, str):
            return traits.on if think else traits.off
        headers = traits.format.headers
        level = "high" if headers and think == "max" else think  # Harmony knows no more
        return {**traits.on, "reasoning_effort": level}

    def _opened(self, text: str, think: bool | str | None, prefill: str) -> Rendered:
        """The text with its opening found, and closed where it opens a thought that is not wanted."""
        opening = next(
            (known for known in self._traits.openings if text.endswith(known)),
            text[-_MAX_OPENING:],
        )
        thought = self._traits.format.thought
        if think is False and thought:
            opens, closes = map(opening.rfind, thought)
            if opens > closes:
                end = self._traits.format.end_of_thought
                text, opening = text.rstrip() + end, opening.rstrip() + end
        return Rendered(text, opening, prefill)

    def fill(self, prompt: str, suffix: str) -> list[int]:
        """The tokens that ask for what is missing between two texts, as the template says."""
        said = [Message("user", prompt), Message("user", suffix)]
        return tokenized(self._gap(said), said, self._gap, self._vocabulary)

    def _gap(self, said: list[Message]) -> str:
        assert self._render
        before, after = (message.content or "" for message in said)
        text = self._render({"messages": [], "prompt": before, "suffix": after})
        return text.removeprefix(self._bos)

    def fit(
        self,
        messages: list[Message],
        tools: list[Tool] | None,
        think: bool | str | None,
        *,
        limit: int,
        truncate: bool,
    ) -> Prompt:
        """The prompt with as few of the oldest turns dropped as leaves room for an answer within `limit`."""

        def prompt(kept: list[Message]) -> Prompt:
            return self._prompt(kept, tools, think, limit=limit)

        def fits(kept: list[Message]) -> bool:
            return len(prompt(kept).tokens) < limit

        whole = prompt(messages)
        if len(whole.tokens) < limit:
            return whole
        fewer = _fewer(messages) if truncate else []
        # a longer conversation never has the shorter prompt
        first = bisect_left(fewer, True, key=fits)
        if first == len(fewer):
            raise too_long(len(whole.tokens), limit)
        fitted = prompt(fewer[first])
        report = ContextReport(
            limit=limit,
            prompt_tokens=len(fitted.tokens),
            dropped_messages=len(messages) - len(fewer[first]),
            dropped_tokens=len(whole.tokens) - len(fitted.tokens),
        )
        return replace(fitted, report=report)

    def _prompt(
        self,
        messages: list[Message],
        tools: list[Tool] | None,
        think: bool | str | None,
        *,
        limit: int,
    ) -> Prompt:
        rendered = self.render(messages, tools, think)
        text = rendered.text
        tokens = tokenized(
            text,
            messages,
            lambda masked: self.render(masked, tools, think).text,
            self._vocabulary,
        )
        report = ContextReport(limit=limit, prompt_tokens=len(tokens))
        return Prompt(text, tokens, report, rendered.opening, rendered.prefill)


def too_long(count: int, limit: int) -> PromptTooLong:
    """The refusal of a prompt, with its numbers and the cure."""
    return PromptTooLong(
        # the words that clients of all three APIs look for
        f"the prompt is too long: {count} tokens > {limit} maximum context length: "
        "shorten it, or raise num_ctx if the model was trained for more"
    )


def _split(messages: list[Message]) -> tuple[str, list[Message]]:
    """What the answer is to go on from, and the messages before it."""
    if messages and messages[-1].role == "assistant" and not messages[-1].tool_calls:
        return messages[-1].content or "", messages[:-1]
    return "", messages


def _fewer(messages: list[Message]) -> list[list[Message]]:
    """The conversation with ever more of its oldest turns left out, system messages and the last kept.

    A turn begins with a user's message and ends before the next one's, so that a tool's result never
    stands without its call.
    """
    starts = [i for i, m in enumerate(messages) if m.role == "user" and i > 0]
    if messages and (not starts or starts[-1] != len(messages) - 1):
        starts.append(len(messages) - 1)
    return [
        [m for i, m in enumerate(messages) if i >= start or m.role == "system"]
        for start in starts
        if any(m.role != "system" for m in messages[:start])
    ]
