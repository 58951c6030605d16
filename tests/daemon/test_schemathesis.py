"""Requests that schemathesis makes of the API's own description, and of what it forbids: no answer is a bug's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest

from tests.support.daemon import Daemon, running_daemon

with warnings.catch_warnings():  # of what it imports
    warnings.simplefilter("ignore")
    pytest.importorskip("schemathesis", reason="pip install schemathesis")
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st
    from schemathesis import GenerationMode

# What ends the daemon, or asks the network.
_LEFT_OUT = {"/api/shutdown", "/api/pull", "/api/push"}
# What most routes need to come further than their first look; all else is as generated.
_AIMED: dict[str, Any] = {
    "model": "tiny",
    "options": {"num_predict": 2},
    "messages": [{"role": "user", "content": "hi"}],
    "input": "hi",
    "max_tokens": 2,
    "tools": None,
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose store may be changed."""
    folder = tmp_path_factory.mktemp("schemathesis")
    with running_daemon(folder, HF_ENDPOINT="http://127.0.0.1:9") as daemon:
        yield daemon


def operations(daemon: Daemon) -> list[Any]:
    document = daemon.http.get("/openapi.json").json()
    for path in _LEFT_OUT:
        del document["paths"][path]
    schema = schemathesis.openapi.from_dict(document)
    return [found.ok() for found in schema.get_all_operations()]


def send(daemon: Daemon, case: Any, *, is_aimed: bool) -> None:
    """One request, of a model that there is, and with words to answer, where it is aimed."""
    scope = case.operation.definition.raw.get("x-ollapy-scope")
    if is_aimed and scope == "infer" and isinstance(case.body, dict):
        case.body = {**case.body, **_AIMED}
    response = case.call(base_url=str(daemon.http.base_url), timeout=60)
    told = (case.as_curl_command(), response.text)
    assert response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, told
    assert "internal error" not in response.text, told


def storm(daemon: Daemon, num_each: int) -> None:
    """So many requests of each operation, as described and otherwise."""
    for operation in operations(daemon):
        cases = st.one_of(
            *(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)
        )

        @settings(
            max_examples=num_each,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases, is_aimed=st.booleans())
        def sent(case: Any, is_aimed: bool) -> None:
            send(daemon, case, is_aimed=is_aimed)

        sent()
    assert daemon.process.poll() is None
    assert "Traceback" not in daemon.log.read_text()


def test_no_request_finds_a_bug(own: Daemon) -> None:
    storm(own, 3)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_request_of_many_finds_a_bug(own: Daemon) -> None:
    storm(own, 300)
