"""What is learned from templates: small ones with the marks of many families, and where they are at hand real ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ollapy.chat.formats import Style
from ollapy.chat.jinja import ChatTemplate
from ollapy.chat.learn import learn
from ollapy.chat.traits import Shape, Traits
from scripts.templates import refusals

_BESIDE = Path(__file__).parents[3] / "shared" / "templates"
REAL = Path(os.environ.get("OLLAPY_TEST_TEMPLATES", _BESIDE))

SYSTEM_AND_USER = """\
{%- for m in messages if m.role in ('system', 'user', 'tool') %}<|{{ m.role }}|>{{ m.content }}
{%- endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"""


def template(
    calls: str = "",
    *,
    system: str = "<|system|>{{ m.content }}",
    tools: str = "{% if tools %}{{ tools | tojson }}{% endif %}",
    thought: str = "",
    opening: str = "",
) -> str:
    """A template; `calls`, `thought` and `opening` are put where an answer has them."""
    return (
        f"{tools}{{%- for m in messages %}}{{% if m.role == 'system' %}}{system}{{% elif m.role == 'assistant' %}}"
        f"<|assistant|>{thought}{{{{ m.content }}}}{{% if m.tool_calls %}}{calls}{{% endif %}}<|end|>"
        "{% else %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
        f"{{% if add_generation_prompt %}}<|assistant|>{opening}{{% endif %}}"
    )


def each(text: str) -> str:
    return (
        f"{{% for c in m.tool_calls %}}{{% set f = c.function %}}{text}{{% endfor %}}"
    )


NAME, ARGUMENTS = "{{ f.name }}", "{{ f.arguments | tojson }}"
OBJECT = '{"name": "{{ f.name }}", "arguments": {{ f.arguments | tojson }}}'
ITEMS = "{% for k, v in f.arguments.items() %}"
QWEN = each(f"<tool_call>\n{OBJECT}\n</tool_call>")
XML = each(
    f"<tool_call>\n<function={NAME}>\n{ITEMS}<parameter={{{{ k }}}}>\n{{{{ v }}}}\n</parameter>\n"
    "{% endfor %}</function>\n</tool_call>"
)
GLM = each(
    f"<tool_call>{NAME}\n{ITEMS}<arg_key>{{{{ k }}}}</arg_key><arg_value>{{{{ v }}}}</arg_value>{{% endfor %}}</tool_call>"
)
PYTHON = each(
    f"<|tool_call_start|>[{NAME}({ITEMS}{{{{ k }}}}={{{{ v | tojson }}}}{{% if not loop.last %}}, {{% endif %}}"
    "{% endfor %})]<|tool_call_end|>"
)
MISTRAL = (
    "{% if m.tool_calls[0].id | length != 9 %}{{ raise_exception('nine') }}{% endif %}"
    + each(f"[TOOL_CALLS]{NAME}[ARGS]{ARGUMENTS}")
)
HARMONY = (
    "{% for m in messages %}<|start|>{% if m.role != 'assistant' %}{{ m.role }}<|message|>{{ m.content }}<|end|>"
    "{% else %}assistant{% if m.thinking %}<|channel|>analysis<|message|>{{ m.thinking }}<|end|><|start|>assistant{% endif %}"
    "{% for c in m.tool_calls %} to=functions.{{ c.function.name }}<|channel|>commentary json<|message|>"
    "{{ c.function.arguments | tojson }}<|call|>{% else %}<|channel|>final<|message|>{{ m.content }}<|return|>{% endfor %}"
    "{% endif %}{% endfor %}{{ tools | tojson if tools else '' }}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
ECHO = "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}"
OFF = "{% if enable_thinking is false %}<think></think>{% endif %}"


def found(source: str) -> Traits:
    return learn(ChatTemplate(source))


@pytest.mark.parametrize(
    ("source", "start", "style"),
    [
        pytest.param(template(QWEN), "<tool_call>", Style.JSON, id="hermes"),
        pytest.param(template(XML), "<tool_call>", Style.TAGGED, id="xml"),
        pytest.param(template(GLM), "<tool_call>", Style.TAGGED, id="glm"),
        pytest.param(template(PYTHON), "<|tool_call_start|>", Style.PYTHON, id="lfm"),
        pytest.param(template(MISTRAL), "[TOOL_CALLS]", Style.HEADED, id="mistral"),
        pytest.param(template(each(OBJECT)), "{", Style.JSON, id="llama"),
        pytest.param(
            template(each(f"<my-call>[{OBJECT}]</my-call>")),
            "<my-call>",
            Style.JSON,
            id="a-stranger",
        ),
        pytest.param(
            template(
                "", tools="{% if tools %}Use <|tool_call|>. {{ tools }}{% endif %}"
            ),
            "<|tool_call|>",
            Style.JSON,
            id="only-told",
        ),
    ],
)
def test_how_calls_are_written(source: str, start: str, style: Style) -> None:
    traits = found(source)

    assert traits.tools
    assert [(c.start, c.style) for c in traits.format.calls][:1] == [(start, style)]


def test_how_a_stranger_ends_its_calls() -> None:
    [calls] = found(template(each(f"<my-call>[{OBJECT}]</my-call>"))).format.calls

    assert calls.end == "</my-call>"


@pytest.mark.parametrize(
    ("source", "thought"),
    [
        pytest.param(template(thought=ECHO), ("<think>", "</think>"), id="echoed"),
        pytest.param(template(opening=OFF), ("<think>", "</think>"), id="turned-off"),
        pytest.param(
            template(opening="<think>\n"), ("<think>", "</think>"), id="opened"
        ),
        pytest.param(
            template().replace(
                "{{ m.content }}{% if m.tool",
                "{{ m.content.split('</think>')[-1] }}{% if m.tool",
            ),
            ("<think>", "</think>"),
            id="cut-from-history",
        ),
        pytest.param(
            template(thought=ECHO.replace("think>", "muse>")),
            ("<muse>", "</muse>"),
            id="a-stranger",
        ),
        pytest.param(template(), None, id="none"),
        pytest.param(template() + "{# <think></think> #}", None, id="only-a-comment"),
    ],
)
def test_how_thoughts_are_written(source: str, thought: tuple[str, str] | None) -> None:
    traits = found(source)

    assert traits.format.thought == thought
    assert traits.thinking == (thought is not None)


def test_an_earlier_thought_as_a_part_of_the_content() -> None:
    parts = (
        "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}"
        "{{ '[THINK]' + p.thinking + '[/THINK]' if p.type == 'thinking' else p.text }}{% endfor %}{% endif %}"
    )
    source = template().replace("{{ m.content }}{% if m.tool", parts + "{% if m.tool")

    assert found(source).shape.thought_parts
    assert found(source).format.thought == ("[THINK]", "[/THINK]")
    assert not found(template(thought=ECHO)).shape.thought_parts


IN_PARTS = (
    "{% for m in messages %}{{ m.role }}:{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}"
    "{% endif %}{% endfor %}<end>{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)


def test_a_template_that_takes_texts_as_parts_alone() -> None:
    """As SmolVLM's: of a text as it is nothing would be left."""
    traits = found(IN_PARTS)
    assert traits.shape == Shape(content_parts=True)
    assert (traits.system, traits.openings) == (True, ["assistant:"])
    assert not found(SYSTEM_AND_USER).shape.content_parts


def test_tags_around_the_answer_that_only_a_thinking_model_is_told_of() -> None:
    told = "{% if thinking %}Think in <think></think>, answer in <response></response>.{% endif %}"

    assert found(template(tools=told)).format.dropped == ("<response>", "</response>")


def test_messages_with_headers() -> None:
    traits = found(HARMONY)

    assert traits.thinking
    assert traits.format.headers is not None
    assert traits.format.headers.end == "<|message|>"
    assert traits.openings == ["<|start|>assistant"]


def test_how_an_answer_is_asked_for() -> None:
    traits = found(template(opening=OFF))

    assert traits.openings == ["<|assistant|><think></think>", "<|assistant|>"]
    assert traits.off["enable_thinking"] is False


def test_another_switch_for_thinking() -> None:
    opening = "<think>{% if reasoning_effort == 'no_think' %}</think>{% endif %}"

    assert found(template(opening=opening)).off == {"reasoning_effort": "no_think"}


@pytest.mark.parametrize(
    "tools", ["", "{# tools #}", "{% if tools %}You have tools.{% endif %}"]
)
def test_a_template_that_does_not_show_the_tools_has_none(tools: str) -> None:
    assert not found(template(QWEN, tools=tools)).tools


@pytest.mark.parametrize("system", ["", "{{ raise_exception('no system') }}"])
def test_a_template_without_a_system_role(system: str) -> None:
    assert not found(template(system=system)).system


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        (template(QWEN), Shape()),
        (template(MISTRAL), Shape(short_ids=True)),
        (
            template(
                each(
                    "<tool_call>"
                    + OBJECT.replace("| tojson }}", "+ '' }}")
                    + "</tool_call>"
                )
            ),
            Shape(text_arguments=True),
        ),
        (
            template(
                "{% if m.tool_calls | length > 1 %}{{ raise_exception('one') }}{% endif %}"
                + QWEN
            ),
            Shape(single_calls=True),
        ),
        (
            template("{% if m.content is none %}" + QWEN + "{% endif %}"),
            Shape(null_content=True),
        ),
    ],
)
def test_the_shape_that_calls_are_taken_in(source: str, shape: Shape) -> None:
    assert found(source).shape == shape


def test_a_template_that_always_raises_can_nothing() -> None:
    traits = found("{{ raise_exception('never') }}")

    assert (traits.system, traits.tools, traits.thinking) == (False, False, False)


def test_control_tokens_that_must_be_seen() -> None:
    assert found(HARMONY).format.markers == (
        *("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|call|>"),
        *("<|return|>", "<|constrain|>"),
    )


@pytest.mark.skipif(
    not REAL.is_dir(), reason="OLLAPY_TEST_TEMPLATES names no folder of templates"
)
def test_real_templates_render_every_kind_of_conversation() -> None:
    """Or refuse for a reason that the script knows of."""
    paths = sorted(REAL.glob("*.jinja"))

    assert paths
    assert refusals(paths) == []
