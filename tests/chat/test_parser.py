"""What each family writes, read character by character, cut at random and whole: always the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from ollapy.chat.formats import CALLS, DROPPED, HEADERS, THOUGHTS, Format, Style
from ollapy.chat.parser import Parsed, Parser
from tests.support.parsing import joined

THINK = ("<think>", "</think>")
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer"},
                    "wet": {"type": ["boolean", "null"]},
                    "tags": {
                        "type": "array",
                        "items": {
                            "type": ["string", "object"],
                            "properties": {
                                "item": {
                                    "items": {"type": ["integer", "array"]},
                                }
                            },
                        },
                    },
                    "any": {"anyOf": [{"type": "number"}, {"type": "string"}]},
                },
            },
        },
    }
    for name in ("weather", "time")
]
WEATHER = ("weather", {"city": "Rome", "days": 3})
TIME = ("time", {"city": "Oslo"})


def form(
    start: str = "<tool_call>",
    style: Style = Style.JSON,
    *,
    thought: tuple[str, str] | None = THINK,
    dropped: Sequence[str] = (),
) -> Format:
    """A format with the declared calls of that start and style."""
    calls = next(c for c in CALLS if c.start == start and c.style is style)
    return Format(thought=thought, calls=(calls,), dropped=tuple(dropped))


def headed(start: str, end: str) -> Format:
    """A format of messages with headers that start and end like this."""
    return Format(
        headers=next(
            h
            for h in HEADERS
            if (h.starts[0], h.closes[:1]) == (start, (end,) if end else ())
        )
    )


HERMES = form()
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome", "days": 3}}\n</tool_call>'
CALL_2 = '<tool_call>\n{"name": "time", "arguments": {"city": "Oslo"}}\n</tool_call>'
XML = """<tool_call>
<function=weather>
<parameter=city>
Rome
</parameter>
<parameter=days>
3
</parameter>
</function>
</tool_call>"""
GLM = """<tool_call>weather
<arg_key>city</arg_key>
<arg_value>Rome</arg_value>
<arg_key>days</arg_key>
<arg_value>3</arg_value>
</tool_call>"""
INVOKE = """<minimax:tool_call>
<invoke name="weather">
<parameter name="city">Rome</parameter>
<parameter name="days">3</parameter>
</invoke>
<invoke name="time">
<parameter name="city">Oslo</parameter>
</invoke>
</minimax:tool_call>"""
DSML = """<｜DSML｜function_calls>
<｜DSML｜invoke name="weather">
<｜DSML｜parameter name="city" string="true">Rome</｜DSML｜parameter>
<｜DSML｜parameter name="days" string="false">3</｜DSML｜parameter>
</｜DSML｜invoke>
</｜DSML｜function_calls>"""
M3 = (
    ']<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name="weather">]<]minimax[>[<city>Rome]<]minimax[>[</city>'
    "]<]minimax[>[<days>3]<]minimax[>[</days>]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>"
)
M3_NESTED = (
    "<tool_call>\n"
    '<invoke name="weather"><tags><item>1</item><item><city>Rome</city><item><item>2</item><item></item></item></item></tags>'
    "<city>7</city></invoke>\n</tool_call>"
).replace("<", "]<]minimax[>[<")
R1 = (
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n"
    '{"city": "Rome", "days": 3}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>time\n'
    '```json\n{"city": "Oslo"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>'
)
V31 = (
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"city": "Rome", "days": 3}'
    "<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
)
K2 = (
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>"
    '{"city": "Rome", "days": 3}<|tool_call_end|><|tool_call_begin|>functions.time:1'
    '<|tool_call_argument_begin|>{"city": "Oslo"}<|tool_call_end|><|tool_calls_section_end|>'
)
K3 = (
    "<|close|>think<|sep|><|open|>response<|sep|>Look.<|close|>response<|sep|><|open|>tools<|sep|>"
    '<|open|>call tool="weather" index="1"<|sep|><|open|>argument key="city" type="string"<|sep|>Rome'
    '<|close|>argument<|sep|><|open|>argument key="days" type="number"<|sep|>3<|close|>argument<|sep|>'
    "<|close|>call<|sep|><|close|>tools<|sep|><|close|>message<|sep|>"
)
SOLAR = (
    "<|think|>Hm.<|end|><|begin|>assistant<|tool_calls|><|tool_call:begin|>abc<|tool_call:name|>weather"
    '<|tool_call:args|>{"city": "Rome", "days": 3}<|tool_call:end|><|tool_call:begin|>abd<|tool_call:name|>time'
    '<|tool_call:args|>{"city": "Oslo"}<|tool_call:end|>'
)
GEMMA = (
    '<|channel>thought\nHm.<channel|><|tool_call>call:weather{city:<|"|>Rome<|"|>,days:3}<tool_call|>'
    '<|tool_call>call:time{city:<|"|>Oslo<|"|>}<tool_call|>'
)
HARMONY = (
    "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary<|message|>Look.<|end|>"
    "<|start|>assistant to=functions.weather<|channel|>commentary <|constrain|>json<|message|>"
    '{"city": "Rome", "days": 3}<|call|>'
)
GLIMMER = (
    " to=self<|message|>Hm.<|eom|><|start|>assistant to=weather<|message|><atem:function_calls>\n"
    '<atem:invoke name="weather">\n<atem:parameter name="city">Rome</atem:parameter>\n'
    '<atem:parameter name="days">3</atem:parameter>\n</atem:invoke>\n</atem:function_calls><|eom|>'
    "<|start|>assistant to=user<|message|>Look."
)
ACTION = """<|START_ACTION|>[
    {"tool_call_id": "0", "tool_name": "weather", "parameters": {"city": "Rome", "days": 3}},
    {"tool_call_id": "1", "tool_name": "time", "parameters": {"city": "Oslo"}}
]<|END_ACTION|>"""
MISTRAL = (
    '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Rome", "days": 3}, "id": "abc123def"}, '
    '{"name": "time", "arguments": {"city": "Oslo"}}]'
)
MISTRAL_2 = (
    'Look.[TOOL_CALLS]weather[CALL_ID]abc123def[ARGS]{"city": "Rome", "days": 3}'
    '[TOOL_CALLS]time[ARGS]{"city": "Oslo"}'
)
LLAMA = '{"name": "weather", "parameters": {"city": "Rome", "days": 3}}'
LFM = "<|tool_call_start|>[weather(city='Rome', days=3), time(city=\"Oslo\")]<|tool_call_end|>"
OLMO = (
    "<function_calls>weather(city='Rome', days=3)\ntime(city='Oslo')</function_calls>"
)
MINICPM = '<function name="weather"><param name="city">Rome</param><param name="days">3</param></function>'
HUNYUAN = (
    "<tool_calls:opensource>\n<tool_call:opensource>weather<tool_sep:opensource>\n"
    "<arg_key:opensource>city</arg_key:opensource>\n<arg_value:opensource>Rome</arg_value:opensource>\n"
    "<arg_key:opensource>days</arg_key:opensource>\n<arg_value:opensource>3</arg_value:opensource>\n"
    "</tool_call:opensource>\n</tool_calls:opensource>"
)
FUNCTIONARY = '<function=weather>{"city": "Rome", "days": 3}</function><function=time>{"city": "Oslo"}</function>'
APERTUS = '<|tools_prefix|>[{"weather": {"city": "Rome", "days": 3}}, {"time": {"city": "Oslo"}}]<|tools_suffix|>'
ALL = [
    # name, format, opening, text; content, thinking, calls
    ('thought', HERMES, '', '<think>\nHm.\n\nYes.\n</think>\n\nTokyo.\n', 'Tokyo.\n', 'Hm.\n\nYes.', []),
    ('empty-thought', HERMES, '', '  <think>\n\n</think>\n\nTokyo', 'Tokyo', '', []),
    ('tag-later-is-text', HERMES, '', 'No <think> here', 'No <think> here', '', []),
    ('leading-blanks-kept', HERMES, '', '\n\n hello', '\n\n hello', '', []),
    ('almost-a-tag', HERMES, '', '<thin ice', '<thin ice', '', []),
    ('thought-cut-off', HERMES, '', '<think>cut off ', '', 'cut off', []),
    ('opened-by-the-prompt', HERMES, '<think>\n', '\nHm.\n</think>\n\nYes.', 'Yes.', 'Hm.', []),
    ('opened-twice', HERMES, '<think>\n', '<think>\nHm.</think>Yes.', 'Yes.', 'Hm.', []),
    ('closed-by-the-prompt', HERMES, '<think>\n\n</think>\n\n', '\nYes.', 'Yes.', '', []),
    ('hermes', HERMES, '', '<think>x</think>' + CALL + '\n' + CALL_2, '', 'x', [WEATHER, TIME]),
    ('text-and-call', HERMES, '', 'Look. ' + CALL + '\n', 'Look. ', '', [WEATHER]),
    ('text-after-call', HERMES, '', CALL + '\nDone.', 'Done.', '', [WEATHER]),
    ('call-in-thought', HERMES, '<think>', 'Hm.' + CALL, '', 'Hm.', [WEATHER]),
    ('tag-named-in-thought', HERMES, '<think>', 'A <tool_call> is it.</think>\nNo.', 'No.', 'A <tool_call> is it.', []),
    ('parameters', HERMES, '', '<tool_call>{"name":"f","parameters":{}}</tool_call>', '', '', [('f', {})]),
    ('end-tag-in-a-string', HERMES, '', '<tool_call>{"name":"f","arguments":{"a":"</tool_call>{\\""}}</tool_call>', '', '', [('f', {'a': '</tool_call>{"'})]),
    ('line-breaks-in-a-string', HERMES, '', '<tool_call>{"name":"f","arguments":{"a":"x\ny"}}</tool_call>', '', '', [('f', {'a': 'x\ny'})]),
    ('qwen3-coder', form(style=Style.TAGGED), '', 'Look.\n' + XML + '\n', 'Look.\n', '', [WEATHER]),
    ('json-where-xml-is-told', form(style=Style.TAGGED), '', CALL + CALL_2, '', '', [WEATHER, TIME]),
    ('seed', form('<seed:tool_call>', Style.TAGGED, thought=('<seed:think>', '</seed:think>')), '', '<seed:think>Hm.</seed:think>\n' + XML.replace('tool_call', 'seed:tool_call'), '', 'Hm.', [WEATHER]),
    ('glm', Format(thought=THINK, calls=(CALLS[2],)), '<think>', 'Hm.</think>\n' + GLM + '\n' + GLM, '', 'Hm.', [WEATHER, WEATHER]),
    ('minimax-2', form('<minimax:tool_call>', Style.TAGGED), '<think>\n', 'Hm.\n</think>\n\n' + INVOKE, '', 'Hm.', [WEATHER, TIME]),
    ('minimax-3', form(']<]minimax[>[<tool_call>', Style.TAGGED, thought=('<mm:think>', '</mm:think>')), '', '<mm:think>Hm.</mm:think>' + M3, '', 'Hm.', [WEATHER]),
    ('minimax-3-nested', form(']<]minimax[>[<tool_call>', Style.TAGGED), '', M3_NESTED, '', '', [('weather', {'tags': ['1', {'city': 'Rome', 'item': [2, []]}], 'city': '7'})]),
    ('deepseek-3.2', form('<｜DSML｜function_calls>', Style.TAGGED), '<think>', 'Hm.</think>\n\n' + DSML, '', 'Hm.', [WEATHER]),
    ('deepseek-r1', form('<｜tool▁calls▁begin｜>', Style.HEADED), '<think>\n', 'Hm.\n</think>\n' + R1, '', 'Hm.', [WEATHER, TIME]),
    ('deepseek-3.1', form('<｜tool▁calls▁begin｜>', Style.HEADED), '<think></think>', 'Look.' + V31, 'Look.', '', [WEATHER]),
    ('kimi-2', form('<|tool_calls_section_begin|>', Style.HEADED, thought=None), '', K2, '', '', [WEATHER, TIME]),
    ('kimi-3', form('<|open|>tools<|sep|>', Style.TAGGED, thought=THOUGHTS[7], dropped=DROPPED), '<|open|>think<|sep|>', 'Hm.' + K3, 'Look.', 'Hm.', [WEATHER]),
    ('solar', form('<|tool_calls|>', Style.HEADED, thought=THOUGHTS[6], dropped=DROPPED), '<|begin|>assistant', SOLAR, '', 'Hm.', [WEATHER, TIME]),
    ('gemma-4', form('<|tool_call>', Style.GEMMA, thought=THOUGHTS[5]), '', GEMMA, '', 'Hm.', [WEATHER, TIME]),
    ('gpt-oss', headed('<|start|>', '<|end|>'), '<|start|>assistant', HARMONY, 'Look.', 'Hm.', [WEATHER]),
    ('gpt-oss-answer', headed('<|start|>', '<|end|>'), '<|start|>assistant', '<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes.', 'Yes.', 'Hm.', []),
    ('glimmer', headed('<|start|>', '<|eom|>'), '<|start|>assistant', GLIMMER, 'Look.', 'Hm.', [WEATHER]),
    ('functionary-3.2', headed('>>>', ''), 'x\n\n>>>', 'all\nLook.\n>>>weather\n{"city": "Rome", "days": 3}>>>time\n{"city": "Oslo"}', 'Look.\n', '', [WEATHER, TIME]),
    ('functionary-3.2-text', headed('>>>', ''), 'x\n\n>>>', 'all\nA prompt is >>> like\nthis.', 'A prompt is >>> like\nthis.', '', []),
    ('functionary-3.1', form('<function=', Style.HEADED, thought=None), '', FUNCTIONARY, '', '', [WEATHER, TIME]),
    ('command', form('<|START_ACTION|>', thought=THOUGHTS[2], dropped=DROPPED), '<|START_THINKING|>', 'Hm.<|END_THINKING|>' + ACTION, '', 'Hm.', [WEATHER, TIME]),
    ('command-text', form('<|START_ACTION|>', thought=THOUGHTS[2], dropped=DROPPED), '', '<|START_RESPONSE|>Yes.<|END_RESPONSE|>', 'Yes.', '', []),
    ('mistral', form('[TOOL_CALLS]', thought=None), '', MISTRAL, '', '', [WEATHER, TIME]),
    ('mistral-2025', form('[TOOL_CALLS]', Style.HEADED, thought=('[THINK]', '[/THINK]')), '', '[THINK]Hm.[/THINK]' + MISTRAL_2, 'Look.', 'Hm.', [WEATHER, TIME]),
    ('llama-3', form('{', thought=None), '', LLAMA, '', '', [WEATHER]),
    ('llama-3-json-answer', form('{', thought=None), '', '{"name": "Rome", "x": 1}', '{"name": "Rome", "x": 1}', '', []),
    ('llama-3-later-is-text', form('{', thought=None), '', 'So: ' + LLAMA, 'So: ' + LLAMA, '', []),
    ('python-tag-json', form('<|python_tag|>', Style.PYTHON, thought=None), '', '<|python_tag|>' + LLAMA, '', '', [WEATHER]),
    ('python-tag-call', form('<|python_tag|>', Style.PYTHON, thought=None), '', '<|python_tag|>weather.call(city="Rome", days=3)', '', '', [WEATHER]),
    ('llama-4', form('[', Style.PYTHON, thought=None), '', "[weather(city='Rome', days=3), time(city='Os\\'lo')]", '', '', [WEATHER, ('time', {'city': "Os'lo"})]),
    ('llama-4-text', form('[', Style.PYTHON, thought=None), '', '[A link](x) and [1, 2]', '[A link](x) and [1, 2]', '', []),
    ('lfm-2-names', form('<|tool_call_start|>', Style.PYTHON), '', "<|tool_call_start|>[get-it.now(from='a, )', max-n=[true, {'x': null}])]<|tool_call_end|>", '', '', [('get-it.now', {'from': 'a, )', 'max-n': [True, {'x': None}]})]),
    ('lfm-2', form('<|tool_call_start|>', Style.PYTHON), '', 'Look.' + LFM, 'Look.', '', [WEATHER, TIME]),
    ('olmo-3', form('<function_calls>', Style.PYTHON), '', OLMO, '', '', [WEATHER, TIME]),
    ('minicpm-5', form('<function name=', Style.TAGGED), '', '<think>\nHm.\n</think>\n\n' + MINICPM + '\n' + MINICPM, '', 'Hm.', [WEATHER, WEATHER]),
    ('hunyuan-3', form('<tool_calls:opensource>', Style.TAGGED, thought=None), '', HUNYUAN, '', '', [WEATHER]),
    ('granite-3.3', Format(thought=THINK, calls=tuple(c for c in CALLS if c == type(c)(start='<|tool_call|>'))), '', f'<|tool_call|>[{LLAMA}]', '', '', [WEATHER]),
    ('phi-4-mini', form('<|tool_call|>', thought=None), '', f'<|tool_call|>[{LLAMA}]<|/tool_call|>', '', '', [WEATHER]),
    ('apriel', form('<tool_calls>', thought=THOUGHTS[9], dropped=DROPPED), 'Here are my reasoning steps:\n', f'Hm.\n[BEGIN FINAL RESPONSE]\n\n<tool_calls>[{LLAMA}]</tool_calls>', '', 'Hm.', [WEATHER]),
    ('nemotron-nano-2', form('<TOOLCALL>'), '<think>\n', f'Hm.</think>\n<TOOLCALL>[{LLAMA}]</TOOLCALL>', '', 'Hm.', [WEATHER]),
    ('apertus', form('<|tools_prefix|>', thought=None), '', APERTUS, '', '', [WEATHER, TIME]),
    ('gigachat', form('<|message_sep|>\n\nfunction call<|role_sep|>\n', thought=None), '', f'Look.<|message_sep|>\n\nfunction call<|role_sep|>\n{LLAMA}<|message_sep|>', 'Look.<|message_sep|>', '', [WEATHER]),
    ('firefunction', form('functools', thought=None), '', f'functools[{LLAMA}]', '', '', [WEATHER]),
]  # fmt: skip
BROKEN = [
    ('no-json', HERMES, '<tool_call>nope</tool_call>!'),
    ('cut-off', HERMES, '<tool_call>{"name": "f"'),
    ('no-name', HERMES, '<tool_call>{"name": 3}</tool_call>'),
    ('nothing', HERMES, '<tool_call>'),
    ('arguments-no-object', HERMES, '<tool_call>{"name": "f", "arguments": [1]}</tool_call>'),
    ('xml-with-text-between', form(style=Style.TAGGED), '<tool_call>\n<function=f>what?</function></tool_call>'),
    ('xml-cut-off', form(style=Style.TAGGED), '<tool_call>\n<function=f>\n<parameter=a>x'),
    ('no-head', form('<｜tool▁calls▁begin｜>', Style.HEADED), '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>{}'),
    ('endless-head', form('[TOOL_CALLS]', Style.HEADED), '[TOOL_CALLS]' + 'name ' * 200),
    ('code', form('<|python_tag|>', Style.PYTHON), "<|python_tag|>import os\nos.remove('x')"),
    ('python-expression', form('<|tool_call_start|>', Style.PYTHON), '<|tool_call_start|>[f(a=g())]<|tool_call_end|>'),
    ('python-deep', form('<|tool_call_start|>', Style.PYTHON), f"<|tool_call_start|>[f(a={'[' * 500}{']' * 500})]<|tool_call_end|>"),
    ('gemma', form('<|tool_call>', Style.GEMMA), '<|tool_call>call:f{a:<|"|>x}<tool_call|>'),
    ("python-name", form("<|tool_call_start|>", Style.PYTHON), "<|tool_call_start|>[f(a=x)]<|tool_call_end|>"),
    ("python-bytes", form("<|tool_call_start|>", Style.PYTHON), "<|tool_call_start|>[f(a=b'x')]<|tool_call_end|>"),
    ("python-infinite", form("<|tool_call_start|>", Style.PYTHON), "<|tool_call_start|>[f(a=1e999)]<|tool_call_end|>"),
    ("python-keys", form("<|tool_call_start|>", Style.PYTHON), "<|tool_call_start|>[f(a={1: 2})]<|tool_call_end|>"),
    ("no-number", HERMES, '<tool_call>{"name": "f", "arguments": {"a": NaN}}</tool_call>'),
    ("endless-number", HERMES, '<tool_call>{"name": "f", "arguments": {"a": ' + "9" * 400 + "}}</tool_call>"),
    ("deep", HERMES, '<tool_call>{"name": "f", "arguments": {"a": ' + "[" * 99 + "]" * 99 + "}}</tool_call>"),
]  # fmt: skip


def read(
    pieces: Sequence[str], form: Format, *, opening: str = "", tools: Any = TOOLS
) -> tuple[list[Parsed], Parser]:
    parser = Parser(form, tools=tools, opening=opening)
    found = [part for piece in pieces for part in parser.feed(piece)]
    return [*found, *parser.finish()], parser


def said(parts: Sequence[Parsed]) -> tuple[str, str, list[tuple[str, dict[str, Any]]]]:
    whole = joined(parts)
    calls = [(c.function.name, c.function.arguments) for c in whole.tool_calls]
    return whole.content, whole.thinking, calls


def ways(text: str) -> list[list[str]]:
    """The text whole, by character, and cut at random."""
    rng = random.Random(len(text))
    cut = []
    for num_cuts in [1, 2, 4, 8, 16, 32] * 5:
        at = sorted(rng.sample(range(len(text)), min(num_cuts, len(text))))
        cut.append([text[a:b] for a, b in pairwise([0, *at, len(text)])])
    return [[text], list(text), *cut]


@pytest.mark.parametrize(
    ("form", "opening", "text", "content", "thinking", "calls"),
    [pytest.param(*case, id=name) for name, *case in ALL],
)
def test_however_it_arrives(
    form: Format, opening: str, text: str, content: str, thinking: str, calls: Any
) -> None:
    for pieces in ways(text):
        parts, parser = read(pieces, form, opening=opening)

        assert said(parts) == (content, thinking, calls), pieces
        assert parser.error == ""


@pytest.mark.parametrize(
    ("form", "text"), [pytest.param(*case, id=name) for name, *case in BROKEN]
)
def test_a_call_that_is_none_is_text_and_the_end_says_so(
    form: Format, text: str
) -> None:
    for pieces in ways(text):
        parts, parser = read(pieces, form)

        assert said(parts) == (text, "", [])
        assert "its text is in the content" in parser.error


def test_calls_before_a_broken_one_are_kept() -> None:
    text = "<tool_call>broken" + CALL

    for pieces in ways(CALL + text + "!"):
        parts, parser = read(pieces, HERMES)

        assert said(parts) == ("<tool_call>broken!", "", [WEATHER, WEATHER])
        assert parser.error


@pytest.mark.parametrize("name", [name for name, *_ in ALL])
def test_noise_is_never_an_error(name: str) -> None:
    """Texts of a family with pieces left out, doubled and swapped come out without an exception."""
    _, form, opening, text, *_ = next(case for case in ALL if case[0] == name)
    rng = random.Random(name)
    for _ in range(40):
        at = sorted(rng.choices(range(len(text) + 1), k=4))
        parts = [text[a:b] for a, b in pairwise([0, *at, len(text)])]
        noise = "".join(rng.choices(parts, k=6))
        whole = said(read([noise], form, opening=opening)[0])
        assert said(read(list(noise), form, opening=opening)[0]) == whole


def test_tags_mean_nothing_to_a_model_without_them() -> None:
    text = "<think>a</think>" + CALL

    assert said(read([text], Format(), tools=())[0]) == (text, "", [])


def test_without_tools_nothing_is_a_call() -> None:
    assert said(read([CALL], HERMES, tools=())[0]) == (CALL, "", [])


def test_the_order_of_the_text_is_kept() -> None:
    """Also where one piece brings text, a call, and text again."""
    parts, _ = read(["One." + CALL + "Two." + CALL_2 + "Three."], HERMES)

    assert [(p.content, len(p.tool_calls)) for p in parts] == [
        ("One.", 1),
        ("Two.", 1),
        ("Three.", 0),
    ]


def test_calls_are_numbered_and_have_ids_of_their_own() -> None:
    [parts] = [read([CALL + CALL], HERMES)[0]]
    calls = joined(parts).tool_calls

    assert [call.function.index for call in calls] == [0, 1]
    assert len({call.id for call in calls}) == 2
    assert all(call.id.startswith("call_") for call in calls)


def test_ids_that_the_model_gives_are_kept() -> None:
    """Some templates want to see them again with the results."""
    mistral = form("[TOOL_CALLS]", Style.HEADED, thought=None)
    kimi = form("<|tool_calls_section_begin|>", Style.HEADED, thought=None)
    ids = [
        [call.id for part in read([text], form)[0] for call in part.tool_calls]
        for form, text in ((mistral, MISTRAL_2), (kimi, K2))
    ]

    assert ids[0][0] == "abc123def"
    assert ids[1] == ["functions.weather:0", "functions.time:1"]


def test_text_is_let_out_as_soon_as_it_cannot_be_a_tag() -> None:
    parser = Parser(HERMES, tools=TOOLS)

    assert said(parser.feed("<think>It is ")) == ("", "It is", [])
    assert said(parser.feed("so.")) == ("", " so.", [])
    assert said(parser.feed("</think>\n\nA <")) == ("A ", "", [])
    assert said(parser.feed("b")) == ("<b", "", [])


def test_a_call_is_let_out_with_the_last_character_of_its_arguments() -> None:
    parser = Parser(HERMES, tools=TOOLS)
    before, after = CALL[: CALL.index("}}") + 1], CALL[CALL.index("}}") + 1 :]

    assert parser.feed(before) == []
    assert said(parser.feed(after[0])) == ("", "", [WEATHER])


@pytest.mark.parametrize("text", ['{"city"', "{ 1", '{"name": "Rome"', '{"x'])
def test_an_answer_in_json_is_not_held_back_for_long(text: str) -> None:
    """Where calls are bare JSON: the first key, or the name, tells."""
    parser = Parser(form("{", thought=None), tools=TOOLS)

    assert said(parser.feed(text)) == (text, "", [])


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("city", "3", "3"),
        ("days", "3", 3),
        ("days", "three", "three"),
        ("wet", "True", True),
        ("wet", "null", None),
        ("tags", '["a"]', ["a"]),
        ("any", "2.5", 2.5),
        ("any", "2 or 3", "2 or 3"),
        ("unknown", '{"a": 1}', {"a": 1}),
        ("unknown", "a\nb", "a\nb"),
    ],
)
def test_plain_arguments_get_the_types_of_their_tool(
    key: str, text: str, value: object
) -> None:
    xml = f"<tool_call><function=weather><parameter={key}>\n{text}\n</parameter></function></tool_call>"

    assert said(read([xml], form(style=Style.TAGGED))[0])[2] == [
        ("weather", {key: value})
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("18446744073709551616", 18446744073709551616.0),
        ("-9223372036854775808", -(2**63)),
        (r'"\ud800"', "?"),
        (r'["\ud83e\udd99", null]', ["🦙", None]),
    ],
)
def test_arguments_are_what_every_reader_of_json_takes(
    text: str, value: object
) -> None:
    call = f'<tool_call>{{"name": "f", "arguments": {{"a": {text}}}}}</tool_call>'
    [(_, arguments)] = said(read([call], HERMES)[0])[2]

    assert arguments == {"a": value}
    assert msgspec.msgpack.encode(arguments)


def test_a_prefill_is_where_the_parser_starts() -> None:
    parser = Parser(HERMES, tools=TOOLS, opening="a\n", prefill="<think>I was")

    assert parser.is_thinking
    assert said(parser.feed(" here.</think>So.")) == ("So.", " here.", [])


def test_a_prefill_that_is_text_is_not_said_again() -> None:
    parser = Parser(HERMES, opening="a\n", prefill="The <")

    assert said([*parser.feed("think> end"), *parser.finish()]) == (
        "think> end",
        "",
        [],
    )
