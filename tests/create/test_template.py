from __future__ import annotations

import pytest

from ollapy.create.template import check_template
from ollapy.errors import InvalidRequest

GOOD = [
    "",
    "{{ .Prompt }}",
    "{{- range .Messages }}<|{{ .Role }}|>{{ .Content }}{{ end }}",
    "100 {% of it }",
]
BAD = {
    "{{ .Prompt": "line 1: unclosed action",
    "\n\n{{ if .System }}": "line 3: unexpected EOF",
    "{{ .Prompt | upper }}": 'line 1: function "upper" not defined',
    "{{ end }}": "line 1: unexpected {{end}}",
    "a\n{%- for m in messages %}{% endfor %}": "line 2: '{%' is Jinja, and TEMPLATE takes a Go template",
}


@pytest.mark.parametrize("text", GOOD)
def test_what_go_takes_is_taken(text: str) -> None:
    check_template(text)


@pytest.mark.parametrize(("text", "problem"), BAD.items())
def test_what_go_refuses_is_refused_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_template(text)
    assert str(caught.value) == f"template error: {problem}"
