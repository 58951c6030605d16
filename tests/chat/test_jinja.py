from __future__ import annotations

import pytest

from ollapy.chat.jinja import ChatTemplate
from ollapy.errors import InvalidRequest


def test_json_is_written_as_models_were_trained_on_it() -> None:
    """No HTML escapes and no ASCII escapes, unlike Jinja's own filter."""
    text = ChatTemplate("{{ x | tojson }} {{ x | tojson(indent=1) }}").render(
        x={"k": "<é & 'y'>"}
    )

    assert text == '{"k": "<é & \'y\'>"} {\n "k": "<é & \'y\'>"\n}'


def test_what_templates_of_the_hub_rely_on() -> None:
    source = """\
{%- set ns = namespace(n=0) -%}
{%- for m in messages -%}
    {%- if m.role == 'skip' %}{% continue %}{% endif -%}
    {%- set ns.n = ns.n + 1 -%}
    {% generation %}{{ m.content }}{% endgeneration %}
    {%- if loop.last %}{% break %}{% endif -%}
{%- endfor -%}
{{ ns.n }}{{ strftime_now('%Y') | length }}"""
    messages = [{"role": "skip", "content": "a"}, {"role": "user", "content": "b"}]

    assert ChatTemplate(source).render(messages=messages) == "b14"


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        pytest.param("{{ ''.__class__.__mro__ }}", "unsafe", id="B154-attributes"),
        pytest.param("{% include '/etc/passwd' %}", "no loader", id="B157-include"),
        pytest.param(
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "recursion",
            id="recursion",
        ),
        pytest.param(
            "{{ raise_exception('no\x1b[2J system') }}",
            r"no\\x1b\[2J system",
            id="B166-raises",
        ),
        pytest.param("{{ nothing.at.all }}", "undefined", id="undefined"),
        pytest.param("{{ 1 / 0 }}", "division by zero", id="arithmetic"),
        pytest.param("{{ 10**5000 }}", "4300 digits", id="B163-digits"),
        pytest.param("{{ raise_exception | tojson }}", "cannot be written", id="json"),
    ],
)
def test_a_bad_template_is_a_sentence(source: str, complaint: str) -> None:
    with pytest.raises(InvalidRequest, match=complaint):
        ChatTemplate(source).render(messages=[])


def test_json_of_what_filters_make() -> None:
    source = "{{ messages | map(attribute='role') | tojson }}"

    assert ChatTemplate(source).render(messages=[{"role": "user"}]) == '["user"]'


def test_attributes_of_python_are_out_of_reach_of_filters_too() -> None:
    """B155: what the sandbox forbids comes out empty, never as an object's text."""
    source = "{{ ''|attr('__class__') }}."

    assert ChatTemplate(source).render() == "."


def test_a_template_that_does_not_parse() -> None:
    with pytest.raises(InvalidRequest, match="chat template failed"):
        ChatTemplate("{% if %}")


def test_an_enormous_template() -> None:
    with pytest.raises(InvalidRequest, match="at most 262144"):
        ChatTemplate("x" * 300_000)
