"""A template is anybody's program: nothing it does hangs, grows or raises anything but a refusal."""

from __future__ import annotations

import random

import pytest

from ollapy.errors import InvalidRequest
from ollapy.gotemplate import Budget, Template

DATA = {"a": 1, "b": "two", "c": [10, 20, 30], "d": {"x": "y"}, "s": "x" * 1000}
DOUBLING = '{{ $x := "0123456789" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}'
GREEDY = {
    "loop": "{{ range 1000000000000 }}{{ end }}",
    "nested-loops": "{{ range 9999 }}{{ range 9999 }}{{ range 9999 }}x{{ end }}{{ end }}{{ end }}",
    "recursion": '{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}',
    "fanned-recursion": '{{ define "x" }}{{ if . }}{{ template "x" (slice . 1) }}{{ template "x" (slice . 1) }}'
    '{{ end }}{{ end }}{{ template "x" (printf "%60d" 1) }}',
    "doubled-text": DOUBLING,
    "doubled-by-printf": DOUBLING.replace("print $x", 'printf "%s%s" $x'),
    "doubled-json": DOUBLING.replace("print $x $x", "json (print $x $x)"),
    "repeated-argument": '{{ $x := print .s .s .s }}{{ printf "'
    + "%[1]s" * 50_000
    + '" $x }}',
    "repeated-extra": '{{ $x := print .s .s .s }}{{ printf "x" '
    + "$x " * 50_000
    + "}}",
    "wide": '{{ range 1000 }}{{ $x := printf "%999999d" 1 }}{{ end }}',
    "wide-elements": '{{ range 1000 }}{{ $x := printf "%999999v" $.c }}{{ end }}',
    "much-output": "{{ range 9999 }}{{ range 9999 }}"
    + "x" * 9999
    + "{{ end }}{{ end }}",
    "long-comparisons": '{{ $x := printf "%999999d" 1 }}{{ $y := printf "%999999d" 1 }}'
    "{{ range 99999999 }}{{ if eq $x $y }}{{ end }}{{ end }}",
    "long-lengths": '{{ $x := printf "%999999s" "é" }}{{ range 99999999 }}{{ $y := len $x }}{{ end }}',
    "escapes": '{{ $x := printf "%999999s" "<" }}{{ range 99999999 }}{{ $y := html $x }}{{ end }}',
}


@pytest.mark.parametrize("source", GREEDY.values(), ids=GREEDY.keys())
def test_greed_is_refused(source: str) -> None:
    with pytest.raises(
        InvalidRequest, match=r"steps|characters|maximum template depth"
    ):
        Template.parse(source).execute(DATA, Budget(200_000, 4_000_000))


@pytest.mark.parametrize(
    "source",
    [
        "{{ if .a }}" * 5000,
        "{{ if .a }}" * 5000 + "{{ end }}" * 5000,
        "{{ if .a }}{{ else if .a }}" + "{{ else if .a }}" * 5000 + "{{ end }}",
        "{{ " + "(" * 20_000,
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ . " + ".a" * 60_000,
        "{{ " + "9" * 5000 + " }}",
        "{{ 1" + "_1" * 5000 + ".5 }}",
        "{{ 0x1p99999 }}",
        "{{ 0xp1 }}",
        "{{ 1e99999 }}",
        "x" * 300_000,
    ],
)
def test_deep_and_long_texts_are_refused(source: str) -> None:
    with pytest.raises(InvalidRequest, match="template error: "):
        Template.parse(source)


def test_deep_values_are_refused() -> None:
    value: object = 1
    for _ in range(100_000):
        value = [value]
    for source in ("{{ . }}", "{{ json . }}", '{{ printf "%d" . }}', "{{ html . }}"):
        with pytest.raises(InvalidRequest, match="nested too deep"):
            Template.parse(source).execute(value)


FRAGMENTS = [
    *("{{", "}}", "{{-", "-}}", "{{/*", "*/}}", "{{end}}", "{{if", "{{else", "{{range"),
    *(
        "{{with",
        "{{define",
        "{{template",
        "{{block",
        "{{break}}",
        ".a",
        ".b",
        ".c",
        ".d.x",
    ),
    *(".s", "$", "$x", ":=", "=", ",", "|", "(", ")", "1", "-1", "1.5", "0x1F", "'a'"),
    *(
        r"'\n'",
        '"s"',
        r'"\q"',
        "`r`",
        '"x"',
        "len",
        "eq",
        "lt",
        "and",
        "or",
        "not",
        "index",
    ),
    *(
        "slice",
        "print",
        "printf",
        '"%v%5d%q"',
        '"%[2]*.*d"',
        "json",
        "html",
        "js",
        "nil",
    ),
    *("true", ".", "..", "é", "\u2028", "\ud800", "}", "{", "-", "\0", "\n"),
]


def test_numbers_that_no_integer_holds_are_bad_indexes_and_widths() -> None:
    digits = "9" * 5000
    for verb in (f"%[{digits}]d", f"%{digits}d", f"%.{digits}d"):
        assert "BAD" in Template.parse(f'{{{{ printf "{verb}" 1 }}}}').execute(None)


def test_wide_elements_are_counted_one_by_one() -> None:
    template = Template.parse('{{ printf "%999999d" . }}')

    with pytest.raises(InvalidRequest, match="characters"):
        template.execute([1] * 1_000_000, Budget(characters=4_000_000))


def test_random_texts() -> None:
    rng = random.Random(11)
    for _ in range(4000):
        source = "".join(
            rng.choice(FRAGMENTS) + rng.choice(["", " "])
            for _ in range(rng.randint(1, 25))
        )
        try:
            Template.parse(source).execute(DATA, Budget(2000, 100_000))
        except InvalidRequest as exc:
            assert str(exc).startswith("template error: ")  # noqa: PT017 - most do not fail


def test_an_error_shows_no_control_characters() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Template.parse("{{ .a \x1b }}")
    assert "\x1b" not in str(caught.value)
