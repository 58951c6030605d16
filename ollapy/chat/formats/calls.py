"""The ways in which families write tool calls. Where two could read an answer, the first is taken."""

from __future__ import annotations

from .format import Calls, Style

_NAME = r"(?P<name>[^\s{}\[\]<>\"]+)"


def invoke(start: str, end: str, prefix: str = "") -> Calls:
    """`<invoke name="f"><parameter name="a">x</parameter></invoke>`, in tags of their own."""
    return Calls(
        start=start,
        end=end,
        each=(f"<{prefix}invoke", f"</{prefix}invoke>"),
        style=Style.TAGGED,
        head=r'\s*name="(?P<name>[^"]+)"\s*>',
        argument=(
            rf'<{prefix}parameter name="(?P<key>[^"]+)"(?: string="(?P<text>true)?[a-z]*")?>'
            rf"(?P<value>.*?)</{prefix}parameter>"
        ),
    )


def _pairs(start: str, end: str, suffix: str = "") -> Calls:
    """`f<arg_key>a</arg_key><arg_value>x</arg_value>`."""
    return Calls(
        start=start,
        end=end,
        style=Style.TAGGED,
        head=rf"\s*{_NAME}\s*",
        argument=(
            rf"<arg_key{suffix}>(?P<key>.*?)</arg_key{suffix}>\s*"
            rf"<arg_value{suffix}>(?P<value>.*?)</arg_value{suffix}>"
        ),
    )


def _functions(start: str, end: str) -> Calls:
    """`<function=f><parameter=a>x</parameter></function>`."""
    return Calls(
        start=start,
        end=end,
        each=("<function=", "</function>"),
        style=Style.TAGGED,
        head=r"(?P<name>[^>\s]+)\s*>",
        argument=r"<parameter=(?P<key>[^>]+)>(?P<value>.*?)</parameter>",
    )


# Some write it before what their templates show without.
LLAMA_TAG = Calls(start="<|python_tag|>", style=Style.PYTHON)

CALLS: tuple[Calls, ...] = (
    # Hermes, Qwen, Granite 4 and many others
    Calls(start="<tool_call>", end="</tool_call>"),
    # Qwen3-Coder, Qwen3.5, Nemotron 3, Step
    _functions("<tool_call>", "</tool_call>"),
    # GLM 4.5 and later, Laguna, Ling, Spark
    _pairs("<tool_call>", "</tool_call>"),
    _functions("<seed:tool_call>", "</seed:tool_call>"),
    invoke("<minimax:tool_call>", "</minimax:tool_call>"),
    # MiniMax M3, where each tag has a mark before it
    Calls(
        start="]<]minimax[>[<tool_call>",
        end="]<]minimax[>[</tool_call>",
        each=("]<]minimax[>[<invoke", "]<]minimax[>[</invoke>"),
        style=Style.TAGGED,
        head=r'\s*name="(?P<name>[^"]+)"\s*>',
        extra=("]<]minimax[>[",),
        item="item",
    ),
    # DeepSeek V3.2, and V4
    invoke("<｜DSML｜function_calls>", "</｜DSML｜function_calls>", "｜DSML｜"),
    invoke("<｜DSML｜tool_calls>", "</｜DSML｜tool_calls>", "｜DSML｜"),
    # DeepSeek V3 and R1, and V3.1
    Calls(
        start="<｜tool▁calls▁begin｜>",
        end="<｜tool▁calls▁end｜>",
        each=("<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"),
        style=Style.HEADED,
        head=rf"(?:function<｜tool▁sep｜>)?{_NAME}(?:<｜tool▁sep｜>|\s*```json)\s*",
        extra=("<｜tool▁sep｜>",),
    ),
    # Kimi K2
    Calls(
        start="<|tool_calls_section_begin|>",
        end="<|tool_calls_section_end|>",
        each=("<|tool_call_begin|>", "<|tool_call_end|>"),
        style=Style.HEADED,
        head=(
            r"\s*(?P<id>(?:functions\.)?(?P<name>[^\s:<]+):\d+)\s*"
            r"<\|tool_call_argument_begin\|>\s*"
        ),
        extra=("<|tool_call_argument_begin|>",),
    ),
    # Kimi K3
    Calls(
        start="<|open|>tools<|sep|>",
        end="<|close|>tools<|sep|>",
        each=("<|open|>call", "<|close|>call<|sep|>"),
        style=Style.TAGGED,
        head=r'\s*tool="(?P<name>[^"]+)"[^<]*<\|sep\|>',
        argument=(
            r'<\|open\|>argument key="(?P<key>[^"]+)" type="(?:(?P<text>string)|[a-z]+)"<\|sep\|>'
            r"(?P<value>.*?)<\|close\|>argument<\|sep\|>"
        ),
        extra=("<|open|>", "<|close|>", "<|sep|>"),
    ),
    # Solar
    Calls(
        start="<|tool_calls|>",
        each=("<|tool_call:begin|>", "<|tool_call:end|>"),
        style=Style.HEADED,
        head=r"(?P<id>[^\s<]*)<\|tool_call:name\|>(?P<name>[^\s<]+)<\|tool_call:args\|>",
        extra=("<|tool_call:name|>", "<|tool_call:args|>"),
    ),
    # Mistral from 2024 on, and Small 3.2, Devstral, Ministral 3
    Calls(start="[TOOL_CALLS]"),
    Calls(
        start="[TOOL_CALLS]",
        style=Style.HEADED,
        head=r"\s*(?P<name>[^\s{}\[\]]+)(?:\[CALL_ID\](?P<id>[^\s\[\]]+))?\[ARGS\]\s*",
        extra=("[CALL_ID]", "[ARGS]"),
    ),
    # Gemma 4
    Calls(
        start="<|tool_call>",
        end="<tool_call|>",
        style=Style.GEMMA,
        head=r"\s*call:(?P<name>[^\s{]+)\s*",
        extra=('<|"|>',),
    ),
    # FunctionGemma
    Calls(
        start="<start_function_call>",
        end="<end_function_call>",
        style=Style.GEMMA,
        head=r"\s*call:(?P<name>[^\s{]+)\s*",
        extra=("<escape>",),
    ),
    # LFM2
    Calls(
        start="<|tool_call_start|>",
        end="<|tool_call_end|>",
        style=Style.PYTHON,
    ),
    # Olmo 3
    Calls(start="<function_calls>", end="</function_calls>", style=Style.PYTHON),
    # Functionary 3.1, and the calls by which Llama answers to it
    Calls(
        start="<function=",
        end="</function>",
        style=Style.HEADED,
        head=r"(?P<name>[^>\s]+)>\s*",
    ),
    # MiniCPM 5
    Calls(
        start="<function name=",
        end="</function>",
        style=Style.TAGGED,
        head=r'"(?P<name>[^"]+)"\s*>',
        argument=r'<param name="(?P<key>[^"]+)"\s*>(?P<value>.*?)</param>',
    ),
    # Hunyuan 3
    Calls(
        start="<tool_calls:opensource>",
        end="</tool_calls:opensource>",
        each=("<tool_call:opensource>", "</tool_call:opensource>"),
        style=Style.TAGGED,
        head=rf"\s*{_NAME}<tool_sep:opensource>\s*",
        argument=_pairs("", "", suffix=":opensource").argument,
        extra=("<tool_sep:opensource>",),
    ),
    # Command R7B, Command A, and Command R+
    Calls(start="<|START_ACTION|>", end="<|END_ACTION|>"),
    Calls(start="Action:\n```json", end="```"),
    Calls(start="Action: ```json", end="```"),
    # Granite 3.3 and Phi-4 mini
    Calls(start="<|tool_call|>", end="<|/tool_call|>"),
    Calls(start="<|tool_call|>"),
    # Apriel and MiniMax M1, Nemotron Nano 2, Apertus
    Calls(start="<tool_calls>", end="</tool_calls>"),
    Calls(start="<TOOLCALL>", end="</TOOLCALL>"),
    Calls(start="<|tools_prefix|>", end="<|tools_suffix|>"),
    # GigaChat
    Calls(start="<|function_call|>"),
    Calls(start="<|message_sep|>\n\nfunction call<|role_sep|>\n"),
    # Firefunction
    Calls(start="functools"),
    # Llama 3 and 4: after a tag, or the object or a list of calls alone
    LLAMA_TAG,
    Calls(start="{", leads=True),
    Calls(start="[", style=Style.PYTHON, leads=True),
)
