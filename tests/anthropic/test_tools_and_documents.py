"""What Anthropic's own clients send that other APIs have no word for: its tools that clients run, and documents."""

from __future__ import annotations

from typing import Any

import anthropic
import jsonschema
import pytest

from ollapy.daemon.wire import client_tools
from tests.support.daemon import Daemon

PLAIN: dict[str, Any] = {"model": "tiny", "max_tokens": 60, "options": {"temperature": 0}}  # fmt: skip
STRICT = {
    "name": "dial",
    "strict": True,
    "input_schema": {
        "type": "object",
        "properties": {"number": {"type": "string", "pattern": "^[0-9]{3}-[0-9]{3}$"}},
        "required": ["number"],
        "additionalProperties": False,
    },
}


def counted(daemon: Daemon, *blocks: Any, **more: Any) -> int:
    """How many tokens the prompt of one turn has."""
    messages = [{"role": "user", "content": list(blocks)}]
    body = {"model": "tiny", "messages": messages, **more}
    answer = daemon.post("/v1/messages/count_tokens", **body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["input_tokens"])


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


EDITOR = "text_editor_20250728"
MEMORY = "memory_20250818"


@pytest.mark.parametrize(
    ("kind", "name", "given"),
    [
        ("bash_20250124", "bash", {"command": "ls"}),
        ("bash_20250124", "bash", {"restart": True}),
        (EDITOR, "str_replace_based_edit_tool", {"command": "view", "path": "a", "view_range": [1, -1]}),
        (EDITOR, "str_replace_based_edit_tool", {"command": "insert", "path": "a", "insert_line": 0, "insert_text": "x"}),
        ("text_editor_20250124", "str_replace_editor", {"command": "create", "path": "a", "file_text": "x"}),
        (MEMORY, "memory", {"command": "rename", "old_path": "a", "new_path": "b"}),
        (MEMORY, "memory", {"command": "delete", "path": "a"}),
    ],
)  # fmt: skip
def test_a_tool_that_the_client_runs(
    daemon: Daemon, kind: str, name: str, given: dict[str, Any]
) -> None:
    """The model is told what the client takes."""
    tool = client_tools.tool(kind, name, "tools[0]")
    turn = text("Begin.")

    jsonschema.validate(given, tool["function"]["parameters"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"command": 5}, tool["function"]["parameters"])
    assert tool["function"]["name"] == name
    with_tool = counted(daemon, turn, tools=[{"type": kind, "name": name}])
    assert with_tool > counted(daemon, turn) + 20


def test_a_tool_that_the_client_runs_is_called(daemon: Daemon) -> None:
    tools = [{"type": "bash_20250124", "name": "bash"}]
    body = {**PLAIN, "messages": [{"role": "user", "content": "Begin."}], "max_tokens": 400}  # fmt: skip
    answer = daemon.post("/v1/messages", **body, tools=tools, tool_choice={"type": "any"}).json()  # fmt: skip

    if answer["stop_reason"] != "max_tokens":  # a small model may talk on and on
        (call,) = answer["content"]
        assert (call["type"], call["name"]) == ("tool_use", "bash")
        assert call["input"].keys() <= {"command", "restart"}


def test_the_clients_runner_of_tools_takes_one_by_heart(
    client: anthropic.Anthropic,
) -> None:
    """As the client's own memory tool does."""
    asked: Any = client.beta.messages.create
    tools = [{"type": "memory_20250818", "name": "memory"}]
    said = asked(
        model="tiny",
        max_tokens=8,
        messages=[{"role": "user", "content": "What is the capital of Japan?"}],
        tools=tools,
        betas=["context-management-2025-06-27"],
    )

    assert said.usage.output_tokens > 0


def test_a_strict_tool_is_held_to_its_schema(daemon: Daemon) -> None:
    body = {**PLAIN, "messages": [{"role": "user", "content": "Call somebody."}]}
    answer = daemon.post("/v1/messages", **body, tools=[STRICT], tool_choice={"type": "any"}).json()  # fmt: skip

    number = answer["content"][0]["input"]["number"]
    assert [len(part) for part in number.split("-")] == [3, 3]
    bad = {**STRICT, "input_schema": {"type": "object", "properties": {"x": {"$ref": "#/no"}}}}  # fmt: skip
    refused = daemon.post("/v1/messages", **body, tools=[bad])
    assert refused.status_code == 400


def test_documents_are_what_is_in_them(daemon: Daemon) -> None:
    plain = {"type": "text", "media_type": "text/plain", "data": "It rains."}
    parts = {"type": "content", "content": [text("It rains."), text("It pours.")]}
    found = {
        "type": "search_result",
        "source": "Almanac",
        "title": "Rain",
        "content": [text("It rains.")],
    }

    assert counted(
        daemon, {"type": "document", "source": plain, "title": "Rain"}
    ) == counted(daemon, text("Rain"), text("It rains."))
    assert counted(
        daemon, {"type": "document", "source": parts, "context": "London"}
    ) == counted(daemon, text("London"), text("It rains."), text("It pours."))
    assert counted(
        daemon, {"type": "document", "source": {"type": "content", "content": "Wet."}}
    ) == counted(daemon, text("Wet."))
    assert counted(daemon, found) == counted(
        daemon, text("Rain"), text("Almanac"), text("It rains.")
    )


def test_a_result_has_documents_and_references(daemon: Daemon) -> None:
    def result(*content: Any) -> int:
        call = {"type": "tool_use", "id": "1", "name": "look", "input": {}}
        told = {"type": "tool_result", "tool_use_id": "1", "content": [*content]}
        turns = [
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [told]},
        ]
        answer = daemon.post(
            "/v1/messages/count_tokens", model="tiny", messages=turns
        ).json()
        return int(answer["input_tokens"])

    document = {"type": "document", "source": {"type": "text", "data": "Wet."}}
    reference = {"type": "tool_reference", "tool_name": "umbrella"}

    assert result(document, reference) == result(text("Wet."), text("umbrella"))


def test_what_anthropics_tools_left_is_passed_over_and_the_log_says_so(
    daemon: Daemon,
) -> None:
    left = {"type": "web_fetch_tool_result", "tool_use_id": "1", "content": []}

    assert counted(daemon, text("Hello"), left) == counted(daemon, text("Hello"))
    told = "content ignored types=web_fetch_tool_result"
    before = daemon.log.read_text().count(told)
    assert counted(daemon, text("Hello"), *[left] * 999) == counted(
        daemon, text("Hello")
    )
    assert before > 0
    assert daemon.log.read_text().count(told) == before + 1


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"tools": [{"type": "web_search_20250305"}]}, "run at Anthropic or are known"),
        ({"tools": [{"type": "bash"}]}, 'tools[0]: tools of type "bash" run'),
        (
            {"content": {"type": "document", "source": {"type": "base64", "data": ""}}},
            'a document with a source of type "base64" is not supported here, send its',
        ),
        ({"content": {"type": "document", "source": "x"}}, "a document with a source"),
        ({"content": {"type": "document"}}, "a document with a source"),
        ({"content": {"type": "image", "source": "x"}}, "invalid image source type"),
        ({"content": {"type": "image"}}, "invalid image source type"),
    ],
)
def test_what_is_refused(daemon: Daemon, more: dict[str, Any], sentence: str) -> None:
    block = more.pop("content", text("Hello"))
    messages = [{"role": "user", "content": [block]}]
    answer = daemon.post("/v1/messages", **PLAIN, messages=messages, **more)

    assert answer.status_code == 400, answer.text
    assert sentence in answer.json()["error"]["message"]
