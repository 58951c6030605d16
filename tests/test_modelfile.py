"""Modelfiles: the grammar, Ollama's words for what is wrong, and the way back to text."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from ollapy.errors import InvalidRequest
from ollapy.modelfile import Instruction, Message, Modelfile, Parameter, decode, parse

COMMANDS = (
    '"from", "license", "template", "system", "adapter", "draft", "renderer", "parser",'
    ' "parameter", "message", or "requires"'
)


def system(text: str) -> str | None:
    """What `SYSTEM <text>` says."""
    return parse(f"FROM x\nSYSTEM {text}\n").system


def test_every_instruction() -> None:
    text = '''
# a comment
from llama3.2
FROM ./mmproj.gguf
Adapter ./lora.gguf
DRAFT ./draft.gguf
TEMPLATE """{{ .Prompt }}"""
SYSTEM first
SYSTEM You are a pirate.
RENDERER r
PARSER p
REQUIRES v0.14.0
PARAMETER temperature 0.5
PARAMETER stop "a b"
PARAMETER stop c
LICENSE MIT
LICENSE """
Two
"""
MESSAGE user Hi
MESSAGE assistant "Ahoy
there"
'''

    assert parse(text) == Modelfile(
        sources=("llama3.2", "./mmproj.gguf"),
        adapters=("./lora.gguf",),
        drafts=("./draft.gguf",),
        template="{{ .Prompt }}",
        system="You are a pirate.",
        renderer="r",
        parser="p",
        requires="v0.14.0",
        parameters=(
            Parameter("temperature", "0.5"),
            Parameter("stop", "a b"),
            Parameter("stop", "c"),
        ),
        licenses=("MIT", "\nTwo\n"),
        messages=(Message("user", "Hi"), Message("assistant", "Ahoy\nthere")),
    )


VALUES = {
    "plain": ("be brief", "be brief"),
    "blanks around": (" \t be  brief \t", "be  brief"),
    "hash inside": ("be # brief", "be # brief"),
    "single quotes": ("'be brief'", "'be brief'"),
    "quote inside": ('say "hi"', 'say "hi"'),
    "quoted": ('"be brief"', "be brief"),
    "quoted blanks": ('"  be brief "  ', "  be brief "),
    "quoted empty": ('""', ""),
    "quotes in quotes": ('"say "hi" now"', 'say "hi" now'),
    "quoted lines": ('"one\ntwo"', "one\ntwo"),
    "runs on": ('"one" two\nthree"', 'one" two\nthree'),
    "backslash is a letter": (r'"a\"', "a\\"),
    "tripled": ('"""be brief"""', "be brief"),
    "tripled empty": ('""""""', ""),
    "tripled lines": ('"""\none\n\n"two"\n"""', '\none\n\n"two"\n'),
    "tripled around a quote": ('"""""""', '"'),
    "tripled runs on": ('"""a""" b\nc"""', 'a""" b\nc'),
    "tab inside": ('"a\tb"', "a\tb"),
    "control characters": ("a\0b\x1b[31mc\x7f", "ab[31mc"),
    "joined emoji": ("👩\u200d🚀", "👩\u200d🚀"),
    "carriage returns": ('"one\r\ntwo"\r', "one\ntwo"),
    "instruction inside": ('"""\nFROM y\n"""', "\nFROM y\n"),
}


@pytest.mark.parametrize(("text", "value"), VALUES.values(), ids=VALUES)
def test_values(text: str, value: str) -> None:
    assert system(text) == value


BAD = {
    "B094 empty": ("", "no FROM line"),
    "B094 no FROM": ("SYSTEM x", "no FROM line"),
    "B094 comment alone": ("# FROM x", "no FROM line"),
    "B094 unknown command": ("FROM x\n\n  BAD y", f"(line 3): command must be one of {COMMANDS}"),
    "B094 glued command": ("FROM=x", f"(line 1): command must be one of {COMMANDS}"),
    "B094 no command": ("FROM x\n= y", f"(line 2): command must be one of {COMMANDS}"),
    "B094 command not ASCII": ("FRÖM x", f"(line 1): command must be one of {COMMANDS}"),
    "B094 after a long value": ('FROM x\nSYSTEM """\n\n"""\nBAD y', f"(line 5): command must be one of {COMMANDS}"),
    "B094 unterminated": ('FROM x\nSYSTEM """be\nbrief', "(line 2): unexpected EOF"),
    "B094 unterminated short": ('FROM x\nSYSTEM "', "(line 2): unexpected EOF"),
    "B094 unterminated triple": ('FROM x\nSYSTEM """', "(line 2): unexpected EOF"),
    "B094 no value": ("FROM", "(line 1): unexpected EOF"),
    "B094 blank value": ("FROM x\nSYSTEM  \nPARSER p", "(line 2): unexpected EOF"),
    "B094 parameter without name": ("FROM x\nPARAMETER", "(line 2): unexpected EOF"),
    "B094 parameter without value": ("FROM x\nPARAMETER stop\n", "(line 2): unexpected EOF"),
    "B094 parameter with equals": ("FROM x\nPARAMETER seed=1\n", "(line 2): unexpected EOF"),
    "B094 role": ("FROM x\nMESSAGE tool y", '(line 2): message role must be one of "system", "user", or "assistant"'),
    "B094 no role": ("FROM x\nMESSAGE", '(line 2): message role must be one of "system", "user", or "assistant"'),
    "B094 role without text": ("FROM x\nMESSAGE user", "(line 2): unexpected EOF"),
    "version": ("FROM x\nREQUIRES new", "requires must be a valid semver (e.g. 0.14.0)"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_refuses(text: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(text)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    "data",
    [
        b"FROM \xc3\xa9",
        b"\xef\xbb\xbfFROM \xc3\xa9",
        "\ufeffFROM é".encode("utf-16-le"),
        "\ufeffFROM é".encode("utf-16-be"),
    ],
    ids=["UTF-8", "UTF-8 with BOM", "UTF-16 LE", "UTF-16 BE"],
)
def test_decode(data: bytes) -> None:
    assert decode(data) == "FROM é"


@pytest.mark.parametrize("data", [b"FROM \xff", b"\xff\xfeF"], ids=["UTF-8", "UTF-16"])
def test_decode_refuses(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="neither UTF-8 nor UTF-16"):
        decode(data)


def test_writes_in_ollamas_order() -> None:
    modelfile = Modelfile(
        sources=("x", "y"),
        adapters=("a",),
        drafts=("d",),
        template="{{ .Prompt }}\n",
        system=' "quoted"',
        parameters=(Parameter("stop", "<|end|>"),),
        licenses=("MIT",),
        messages=(Message("user", "Hi there"),),
    )

    assert str(modelfile) == (
        "FROM x\n"
        "ADAPTER a\n"
        "DRAFT d\n"
        "FROM y\n"
        'TEMPLATE "{{ .Prompt }}\n"\n'
        'SYSTEM """ "quoted""""\n'
        "PARAMETER stop <|end|>\n"
        "LICENSE MIT\n"
        "MESSAGE user Hi there\n"
    )


def test_an_instruction_is_a_line() -> None:
    assert (
        str(Instruction("PARAMETER", "0.5", "temperature"))
        == "PARAMETER temperature 0.5"
    )
    assert str(Instruction("FROM", "a path")) == "FROM a path"


def test_what_is_written_is_read_again() -> None:
    """Any texts but those with a line that ends in quotes, which the format has no way to write."""
    rng = random.Random(5)
    pieces = [
        '"',
        '""',
        " ",
        "\t",
        "\n",
        "#",
        "FROM x",
        "é",
        "\\",
        "{{ .System }}",
        "'",
    ]

    def value() -> str:
        text = "".join(rng.choices(pieces, k=rng.randrange(6)))
        return re.sub(r'("[ \t]*)+(?=\n)', "", text)

    for _ in range(2000):
        modelfile = Modelfile(
            sources=("x",),
            template=value(),
            system=value(),
            parameters=(Parameter("stop", value()),),
            licenses=(value(), value()),
            messages=(Message("user", value()),),
        )
        assert parse(str(modelfile)) == modelfile


def test_a_long_value_is_read_in_one_go() -> None:
    """Ten megabytes of lines that could each be the last; quadratic work would outlast the test."""
    text = '"x" \n' * 2_000_000

    assert system(f'"""{text}"""') == text


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in (Path(__file__).parents[1] / "modelfiles").rglob("*")
        if path.is_file() and path.suffix != ".md"
    ],
    ids=lambda path: f"{path.parent.name}:{path.name}",
)
def test_the_modelfiles_of_the_project(path: Path) -> None:
    parse(decode(path.read_bytes()))
