"""The API described: true to the routes, whole, and with nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from ollapy.daemon.app import ENDPOINTS
from tests.support.daemon import Daemon


@pytest.fixture
def document(daemon: Daemon) -> dict[str, Any]:
    """What `/openapi.json` says."""
    response = daemon.http.get("/openapi.json")
    assert response.headers["content-type"].startswith("application/json")
    found: dict[str, Any] = response.json()
    return found


def test_it_is_openapi_and_has_every_route(document: dict[str, Any]) -> None:
    validate(document)

    described = {
        (path, method.upper())
        for path, operations in document["paths"].items()
        for method in operations
    }
    routes = {
        (re.sub(r":\w+}", "}", endpoint.path), verb)
        for endpoint in ENDPOINTS
        for verb in endpoint.verbs
    }
    assert document["openapi"].startswith("3.1")
    assert described == routes


def test_every_route_is_described(document: dict[str, Any]) -> None:
    operations = [o for path in document["paths"].values() for o in path.values()]
    ids = [operation["operationId"] for operation in operations]

    assert len(set(ids)) == len(ids)
    for operation in operations:
        assert operation["summary"].endswith("."), operation
        assert not operation["summary"].startswith("`"), operation


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/version", None),
        ("GET", "/api/tags", None),
        ("GET", "/api/ps", None),
        ("GET", "/api/requests", None),
        ("GET", "/api/status", None),
        ("GET", "/api/du", None),
        ("GET", "/v1/models", None),
        ("POST", "/api/show", {"model": "tiny"}),
        ("POST", "/api/show", {"model": "nope"}),
        ("POST", "/api/generate", {"model": "tiny", "prompt": "Hi", "stream": False}),
        (
            "POST",
            "/api/chat",
            {
                "model": "tiny",
                "messages": [{"role": "user", "content": "Hi"}],
                "stream": False,
                "logprobs": True,
                "top_logprobs": 2,
            },
        ),
        ("POST", "/api/embed", {"model": "tiny", "input": "Hi"}),
        ("POST", "/api/tokenize", {"model": "tiny", "content": "Hi"}),
        ("POST", "/api/render", {"model": "tiny", "prompt": "Hi"}),
        ("POST", "/v1/rerank", {"model": "tiny"}),
        (
            "POST",
            "/v1/chat/completions",
            {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]},
        ),
        (
            "POST",
            "/v1/messages",
            {
                "model": "tiny",
                "max_tokens": 5,
                "messages": [{"role": "user", "content": "Hi"}],
            },
        ),
        ("POST", "/v1/messages", {"model": "nope", "messages": []}),
    ],
    ids=str,
)
def test_answers_are_as_described(
    daemon: Daemon,
    document: dict[str, Any],
    method: str,
    path: str,
    body: dict[str, Any] | None,
) -> None:
    response = daemon.http.request(method, path, json=body)
    responses = document["paths"][path][method.lower()]["responses"]
    described = responses.get(str(response.status_code), responses["default"])
    schema = described["content"]["application/json"]["schema"]

    jsonschema.Draft202012Validator(
        {**schema, "components": document["components"]}
    ).validate(response.json())


def test_a_form_has_its_file_as_it_is(daemon: Daemon, document: dict[str, Any]) -> None:
    body = document["paths"]["/v1/audio/transcriptions"]["post"]["requestBody"]
    schema = document["components"]["schemas"]["TranscriptionRequest"]

    assert list(body["content"]) == ["multipart/form-data"]
    assert schema["properties"]["file"] == {
        "type": "string",
        "contentMediaType": "application/octet-stream",
        "default": "",
    }
    assert "<td>file</td>" in daemon.http.get("/docs").text


class Page(HTMLParser):
    """What a page has, links and names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.links |= {str(found[name]) for name in ("href", "src") if name in found}
        if "id" in found:
            self.names.add(str(found["id"]))


def test_the_page_has_every_route_and_needs_nobody(
    daemon: Daemon, document: dict[str, Any]
) -> None:
    response = daemon.http.get("/docs")
    page = Page(response.text)

    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert not page.tags & {"script", "img", "link", "iframe"}
    assert page.links - {"/openapi.json"} == {
        link for link in page.links if link.removeprefix("#") in page.names
    }
    assert {"url(", "@import"} & set(re.findall(r"url\(|@import", response.text)) == (
        set()
    )
    for path in document["paths"]:
        assert path in response.text
