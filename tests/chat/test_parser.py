from __future__ import annotations

import random

import pytest

from ollapy.chat.parser import Parsed, Parser

CALL = (
    '<tool_call>{"name": "get_weather", "arguments": {"location": "Rome"}}</tool_call>'
)


def read(
    pieces: list[str],
    *,
    thinking: bool = True,
    tools: bool = True,
    inside: bool = False,
) -> Parsed:
    parser = Parser(thinking=thinking, tools=tools, inside=inside)
    parsed = Parsed()
    for piece in pieces:
        parsed += parser.feed(piece)
    return parsed + parser.finish()


def said(parsed: Parsed) -> tuple[str, str, list[tuple[str, dict[str, object]]]]:
    calls = [
        (call.function.name, call.function.arguments) for call in parsed.tool_calls
    ]
    return parsed.content, parsed.thinking, calls


WEATHER = ("get_weather", {"location": "Rome"})
CASES = [
    pytest.param(
        "<think>\nHm.\n\nYes.\n</think>\n\nTokyo.\n",
        ("Tokyo.\n", "Hm.\n\nYes.", []),
        id="thought",
    ),
    pytest.param(
        "  <think>\n\n</think>\n\nTokyo", ("Tokyo", "", []), id="empty-thought"
    ),
    pytest.param(
        "No <think> here", ("No <think> here", "", []), id="tag-later-is-text"
    ),
    pytest.param("\n\n hello", ("\n\n hello", "", []), id="leading-blanks-kept"),
    pytest.param("<thin ice", ("<thin ice", "", []), id="almost-a-tag"),
    pytest.param("<think>cut off ", ("", "cut off", []), id="thought-cut-off"),
    pytest.param(CALL, ("", "", [WEATHER]), id="call"),
    pytest.param(
        "<think>x</think>" + CALL + CALL,
        ("", "x", [WEATHER, WEATHER]),
        id="thought-and-two-calls",
    ),
    pytest.param(
        "Let me see. " + CALL, ("Let me see. ", "", [WEATHER]), id="text-and-call"
    ),
    pytest.param(
        "<tool_call>nope</tool_call>!",
        ("<tool_call>nope</tool_call>!", "", []),
        id="malformed-call-is-text",
    ),
    pytest.param(
        '<tool_call>{"name": "f"',
        ('<tool_call>{"name": "f"', "", []),
        id="call-cut-off-is-text",
    ),
    pytest.param(
        '<tool_call>{"name": 3}</tool_call>',
        ('<tool_call>{"name": 3}</tool_call>', "", []),
        id="call-without-name",
    ),
    pytest.param(
        '<tool_call>{"name":"f","parameters":{}}</tool_call>',
        ("", "", [("f", {})]),
        id="parameters",
    ),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_whole_by_character_and_cut_at_random(text: str, expected: object) -> None:
    rng = random.Random(3)

    assert said(read([text])) == expected
    assert said(read(list(text))) == expected
    for _ in range(50):
        cuts = sorted(rng.sample(range(len(text)), min(4, len(text))))
        pieces = [
            text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)
        ]
        assert said(read(pieces)) == expected


def test_a_prompt_that_ends_in_the_open_tag_starts_inside_the_thought() -> None:
    assert said(read(["\nHm.\n</think>\n\nYes."], inside=True)) == ("Yes.", "Hm.", [])


def test_tags_mean_nothing_to_a_model_without_them() -> None:
    text = "<think>a</think>" + CALL

    assert said(read([text], thinking=False, tools=False)) == (text, "", [])


def test_calls_are_numbered_and_have_ids_of_their_own() -> None:
    calls = read([CALL + CALL]).tool_calls

    assert [call.function.index for call in calls] == [0, 1]
    assert len({call.id for call in calls}) == 2
    assert all(call.id.startswith("call_") for call in calls)


def test_text_is_let_out_as_soon_as_it_cannot_be_a_tag() -> None:
    parser = Parser(thinking=True, tools=True)

    assert parser.feed("<think>It is ").thinking == "It is"
    assert parser.feed("so.").thinking == " so."
    assert parser.feed("</think>\n\nA <").content == "A "
    assert parser.feed("b").content == "<b"
