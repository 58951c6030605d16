"""Words stand for tokens here: the renderer only counts them."""

from __future__ import annotations

import pytest

from ollapy.api.ollama import FunctionCall, Message, ToolCall
from ollapy.chat.jinja import ChatTemplate
from ollapy.chat.render import Renderer
from ollapy.errors import PromptTooLong

SOURCE = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }} {% endfor %}"
    "{% if enable_thinking is defined and not enable_thinking %}[nothink] {% endif %}[assistant] "
)


def renderer(*, adds_bos: bool = False, source: str | None = SOURCE) -> Renderer:
    template = None if source is None else ChatTemplate(source)
    return Renderer(
        template,
        lambda text: list(range(len(text.split()))),
        bos="<s>",
        eos="</s>",
        adds_bos=adds_bos,
    )


def user(text: str) -> Message:
    return Message("user", text)


def assistant(text: str) -> Message:
    return Message("assistant", text)


def test_a_conversation_is_rendered_for_an_answer() -> None:
    text = renderer().render([user("hi"), assistant("ho"), user("so")], None, None)

    assert text == "<s>[user] hi [assistant] ho [user] so [assistant] "


def test_bos_is_not_doubled_where_the_tokenizer_adds_it() -> None:
    assert renderer(adds_bos=True).render([user("hi")], None, None).startswith("[user]")


def test_thinking_off_reaches_the_template() -> None:
    assert "[nothink]" in renderer().render([user("hi")], None, False)
    assert "[nothink]" not in renderer().render([user("hi")], None, True)


def test_a_last_message_by_the_assistant_is_continued() -> None:
    text = renderer().render([user("Name one."), assistant("The first is")], None, None)

    assert text == "<s>[user] Name one. [assistant] The first is"


def test_a_model_without_a_template_gets_the_plain_text() -> None:
    assert (
        renderer(source=None).render([Message("system", "a"), user("b")], None, None)
        == "a\nb"
    )


def test_calls_and_results_reach_the_template() -> None:
    source = "{% for m in messages %}{{ m.tool_calls[0].function.arguments.city if m.tool_calls else m.name }} {% endfor %}"
    call = ToolCall(FunctionCall("weather", {"city": "Rome"}))
    messages = [
        Message("assistant", tool_calls=[call]),
        Message("tool", "sunny", tool_name="weather"),
    ]

    assert renderer(source=source).render(messages, None, None) == "Rome weather "


LONG = [
    Message("system", "be brief"),
    user("one two"),
    assistant("three four"),
    user("five six"),
    assistant("seven"),
    user("eight"),
]


def test_the_oldest_turns_are_dropped_and_counted() -> None:
    """The system message and the last one stay; an answer goes with its question."""
    prompt = renderer().fit(LONG, None, None, limit=13, truncate=True)

    assert (
        prompt.text
        == "<s>[system] be brief [user] five six [assistant] seven [user] eight [assistant] "
    )
    assert (prompt.report.dropped_messages, prompt.report.dropped_tokens) == (2, 6)
    assert prompt.report.prompt_tokens == len(prompt.tokens) == 11


def test_nothing_is_dropped_from_what_fits() -> None:
    prompt = renderer().fit(LONG, None, None, limit=100, truncate=True)

    assert (prompt.report.dropped_messages, prompt.report.limit) == (0, 100)


@pytest.mark.parametrize("truncate", [True, False])
def test_a_prompt_that_cannot_fit_says_the_numbers(truncate: bool) -> None:
    with pytest.raises(PromptTooLong, match=r"has 17 tokens.*context length of 4"):
        renderer().fit(LONG, None, None, limit=4, truncate=truncate)


def test_truncate_false_drops_nothing() -> None:
    with pytest.raises(PromptTooLong):
        renderer().fit(LONG, None, None, limit=13, truncate=False)
