"""The process that renders: real, killed by what templates do, and there again for the next one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ollapy.chat.traits import Traits
from ollapy.errors import InvalidRequest
from ollapy.templating import Abilities, Source, TemplateProcess
from tests.support.waiting import eventually

GOOD = Source("{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}")
HI = {"messages": [{"role": "user", "content": "hi"}]}
DOUBLING = "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}"
NESTING = "{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
LOOP = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


@pytest.fixture(scope="module")
def templates() -> Iterator[TemplateProcess]:
    process = TemplateProcess()
    process.start()
    yield process
    process.close()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> None:
    """The module's process stays until its end."""


def test_it_renders_and_learns(templates: TemplateProcess) -> None:
    assert templates.render(GOOD, HI) == "[user] hi"
    assert templates.learn(GOOD, Abilities) == Abilities(True, False, False, False)
    assert templates.learn(GOOD, Traits).openings == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        pytest.param("{{ 'A' * 10**10 }}", "memory", id="B160-repeat"),
        pytest.param("{{ '%10000000000s' % 1 }}", "memory", id="B160-format"),
        pytest.param("{{ [0] * 10**9 }}", "memory", id="B160-list"),
        pytest.param(DOUBLING, "memory", id="B160-doubling"),
        pytest.param("{{ 'a\nb' | indent(10**10) }}", "memory", id="B161-indent"),
        pytest.param("{{ [1] | batch(10**9, 1) | list }}", "memory", id="B161-batch"),
        pytest.param("{{ 'x' | center(10**9) }}", "memory|at most", id="B161-center"),
        pytest.param("{{ 9 ** (9 ** 9) }}", "ran for more than 2 s", id="B163-power"),
        pytest.param(LOOP, "ran for more than 2 s", id="endless"),
        pytest.param(
            NESTING + "{{ ns.x }}", "ran for more than 2 s|memory", id="endless-in-c"
        ),
    ],
)
def test_time_and_memory_are_bounded_and_the_next_is_rendered(
    templates: TemplateProcess, source: str, complaint: str
) -> None:
    with pytest.raises(InvalidRequest, match=complaint):
        templates.render(Source(source), {})

    assert templates.render(GOOD, HI) == "[user] hi"


def test_what_a_template_changes_is_its_own(templates: TemplateProcess) -> None:
    """B158: a list may be added to, and the next request sees nothing of it."""
    source = "{% set _ = messages.append({'role': 'x', 'content': 'y'}) %}" + GOOD.text

    assert templates.render(Source(source), HI) == "[user] hi[x] y"
    assert templates.render(Source(source), HI) == "[user] hi[x] y"


def test_a_template_that_does_not_parse(templates: TemplateProcess) -> None:
    with pytest.raises(InvalidRequest, match="chat template failed"):
        templates.learn(Source("{% if %}"), Abilities)


def test_a_process_that_has_nothing_to_do_ends_and_comes_back() -> None:
    process = TemplateProcess(idle=1)
    assert process.render(GOOD, HI) == "[user] hi"
    first = process.process_id
    eventually(lambda: process.process_id is None, "it did not end")

    assert process.render(GOOD, HI) == "[user] hi"
    assert process.process_id not in (None, first)
    process.close()
