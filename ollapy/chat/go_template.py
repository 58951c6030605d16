"""GoChatTemplate: a TEMPLATE of Ollama's, rendered as Ollama renders it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ollapy.gotemplate import Template

from . import go_values


@dataclass(frozen=True, slots=True)
class _Round:
    """A question with its answer, as templates take it that know nothing of messages."""

    system: str = ""
    prompt: str = ""
    response: str = ""

    @property
    def data(self) -> dict[str, object]:
        return {
            "System": self.system,
            "Prompt": self.prompt,
            "Response": self.response,
        }


class GoChatTemplate:
    """A parsed template, for the variables that ChatTemplate takes; rendering is thread-safe."""

    def __init__(self, source: str) -> None:
        """InvalidRequest says where Go would refuse the text."""
        template = Template.parse(source)
        if not template.names & {"messages", "response"}:
            template = template.ending_with("Response")
        self._template = template
        self._opening = template.up_to("Response")

    def render(self, **variables: Any) -> str:
        """The template's text; InvalidRequest where it fails.

        `messages`, `tools`, `enable_thinking` and `reasoning_effort` are looked at, or `prompt` and `suffix`.
        """
        thinking = _thinking(variables)
        if "suffix" in variables:
            gap = {"Prompt": variables["prompt"], "Suffix": variables["suffix"]}
            return self._template.execute({**gap, "Response": "", **thinking})
        messages = _collated(variables["messages"])
        if "messages" not in self._template.names:
            return "".join(self._rounds(messages, thinking))
        data = {
            "System": _system(messages),
            "Messages": [go_values.message(message) for message in messages],
            "Tools": go_values.tools(variables.get("tools")),
            "Response": "",
        }
        return self._template.execute({**data, **thinking})

    def _rounds(
        self, messages: list[dict[str, Any]], thinking: Mapping[str, object]
    ) -> Iterator[str]:
        """The text of every round; that of the last one ends where its answer begins."""
        *before, last = _rounds(messages)
        for one in before:
            yield self._template.execute({**one.data, **thinking})
        yield self._opening.execute({**last.data, **thinking})


def _thinking(variables: Mapping[str, Any]) -> dict[str, object]:
    """The level of a model that is only told to think is the middle one."""
    think, level = variables.get("enable_thinking"), variables.get("reasoning_effort")
    return {
        "Think": bool(think or level),
        "ThinkLevel": level or ("medium" if think else ""),
        "IsThinkSet": think is not None or level is not None,
    }


def _collated(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Messages of one role that follow each other as one, but for calls of tools and their results."""
    found: list[dict[str, Any]] = []
    for message in messages:
        is_same = bool(found) and found[-1]["role"] == message["role"]
        if is_same and message["role"] != "tool" and not message.get("tool_calls"):
            texts = (found[-1]["content"] or "", message["content"] or "")
            found[-1] = {**found[-1], "content": "\n\n".join(texts)}
        else:
            found.append(dict(message))
    return found


def _system(messages: Sequence[Mapping[str, Any]]) -> str:
    texts = (m["content"] or "" for m in messages if m["role"] == "system")
    return "\n\n".join(texts)


def _rounds(messages: Sequence[Mapping[str, Any]]) -> list[_Round]:
    """The conversation as questions and answers; a system text goes with the question after it."""
    found, one = [], _Round()
    for message in messages:
        role, text = message["role"], message["content"] or ""
        is_next = one.response or (role == "system" and one.prompt)
        if role in ("system", "user") and is_next:
            found.append(one)
            one = _Round()
        match role:
            case "system":
                one = replace(one, system=text)
            case "user":
                one = replace(one, prompt=text)
            case "assistant":
                one = replace(one, response=text)
    return [*found, one]
