from __future__ import annotations

import pytest

from ollapy.gotemplate import Template


def test_names_are_those_of_every_field_in_lower_case() -> None:
    source = """
    {{- define "t" }}{{ .Tools }}{{ end -}}
    {{ range $i, $m := $.Messages }}{{ if and (eq $m.Role "user") .Last }}{{ (index .A 0).B.C }}{{ end }}
    {{- else }}{{ with .W | print .P }}{{ end }}{{ end }}{{ template "t" .Q }}.Text {{/* .Comment */}}{{ ".String" }}
    """

    assert Template.parse(source).names == {
        *("tools", "messages", "role", "last"),
        *("a", "b", "c", "w", "p", "q"),
    }


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("A{{ .Response }}B", "Ar"),
        ("A{{ if .Response }}B{{ .Response }}C{{ else }}D{{ end }}E", "ABr"),
        ("A{{ if .No }}B{{ else }}C{{ .Response }}D{{ end }}E", "ACr"),
        ("A{{ if .No }}{{ .Response }}{{ else }}D{{ end }}E", "AD"),
        ("A{{ if .No }}{{ .Response }}{{ else }}D{{ .Response }}F{{ end }}E", "ADr"),
        ("A{{ .Response | printf `%q` }}B{{ .Response }}", 'A"r"'),
        ("A{{ $x := .Response }}{{ $x }}B", "A"),
        ("AB", "AB"),
    ],
)
def test_a_template_up_to_a_field(source: str, text: str) -> None:
    assert Template.parse(source).up_to("Response").execute({"Response": "r"}) == text


def test_a_template_with_a_field_at_its_end() -> None:
    template = Template.parse('{{ define "x" }}!{{ end }}A{{ template "x" }}')

    assert template.ending_with("Response").execute({"Response": "r"}) == "A!r"
    assert template.execute({"Response": "r"}) == "A!"
