"""Renderer: a conversation to the prompt that its model was trained on, fitted to the context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ollapy.api.ollama import ContextReport, Message, Tool, ToolCall
from ollapy.errors import PromptTooLong

from .jinja import ChatTemplate


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered conversation: its text, its tokens, and what became of it on the way."""

    text: str
    tokens: list[int]
    report: ContextReport


class Renderer:
    """One model's template and special tokens, with its tokenizer."""

    def __init__(
        self,
        template: ChatTemplate | None,
        tokenize: Callable[[str], list[int]],
        *,
        bos: str,
        eos: str,
        adds_bos: bool,
    ) -> None:
        self._template = template
        self._tokenize = tokenize
        self._special = {"bos_token": bos, "eos_token": eos}
        self._bos = bos if adds_bos else ""

    def render(
        self,
        messages: list[Message],
        tools: list[Tool] | None,
        think: bool | str | None,
    ) -> str:
        """The prompt's text. A last message by the assistant is continued, not answered."""
        prefill = ""
        if (
            messages
            and messages[-1].role == "assistant"
            and not messages[-1].tool_calls
        ):
            prefill = messages[-1].content or ""
            messages = messages[:-1]
        if self._template is None:
            return "\n".join(m.content or "" for m in messages) + prefill
        variables: dict[str, Any] = dict(self._special)
        if think is not None:
            variables["enable_thinking"] = variables["thinking"] = bool(think)
        if isinstance(think, str):
            variables["reasoning_effort"] = think
        text = self._template.render(
            messages=[_variables(m) for m in messages],
            tools=tools or None,
            add_generation_prompt=True,
            **variables,
        )
        # the tokenizer puts the BOS there itself; two of them harm the answer
        return text.removeprefix(self._bos) + prefill

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
        whole = self._prompt(messages, tools, think, limit=limit)
        if len(whole.tokens) < limit:
            return whole
        kept = _fewer(messages) if truncate else []
        low, high = 0, len(kept)
        while low < high:  # a longer conversation never has the shorter prompt
            middle = (low + high) // 2
            fits = (
                len(self._prompt(kept[middle], tools, think, limit=limit).tokens)
                < limit
            )
            low, high = (low, middle) if fits else (middle + 1, high)
        if low == len(kept):
            raise too_long(len(whole.tokens), limit)
        fitted = self._prompt(kept[low], tools, think, limit=limit)
        report = ContextReport(
            limit=limit,
            prompt_tokens=len(fitted.tokens),
            dropped_messages=len(messages) - len(kept[low]),
            dropped_tokens=len(whole.tokens) - len(fitted.tokens),
        )
        return Prompt(fitted.text, fitted.tokens, report)

    def _prompt(
        self,
        messages: list[Message],
        tools: list[Tool] | None,
        think: Any,
        *,
        limit: int,
    ) -> Prompt:
        text = self.render(messages, tools, think)
        tokens = self._tokenize(text)
        return Prompt(
            text, tokens, ContextReport(limit=limit, prompt_tokens=len(tokens))
        )


def too_long(count: int, limit: int) -> PromptTooLong:
    """The refusal of a prompt, with its numbers and the cure."""
    return PromptTooLong(
        f"the prompt has {count} tokens, more than the context length of {limit} leaves room for: "
        "shorten it, or raise num_ctx if the model was trained for more"
    )


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


def _variables(message: Message) -> dict[str, Any]:
    """A message under the names that templates use."""
    found: dict[str, Any] = {"role": message.role, "content": message.content or ""}
    if message.thinking:
        found["reasoning_content"] = found["thinking"] = message.thinking
    if message.tool_calls:
        found["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.tool_name:
        found["name"] = found["tool_name"] = message.tool_name
    if message.tool_call_id:
        found["tool_call_id"] = message.tool_call_id
    return found


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.function.name, "arguments": call.function.arguments}
    return {"type": "function", "id": call.id, "function": function}
