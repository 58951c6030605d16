"""The gate in front of a small application, through ASGI itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from ollapy.daemon.app import ENDPOINTS
from ollapy.daemon.gates.security import Gate
from tests.support.daemon import Daemon


def ask(
    how: dict[str, Any] | None = None, method: str = "POST", **headers: str
) -> tuple[int, dict[str, str]]:
    """The status and headers that a request with these headers gets from a gate made that way."""
    sent: list[Any] = []
    pairs = [
        (name.replace("_", "-").encode(), value.encode("latin-1"))
        for name, value in headers.items()
    ]
    scope = {"type": "http", "method": method, "path": "/", "headers": pairs}

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    gate = Gate(PlainTextResponse("in"), **how or {})
    asyncio.run(gate(scope, receive, send))
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return int(sent[0]["status"]), told


def status(**headers: str) -> int:
    """The status a request with these headers gets."""
    return ask(**headers)[0]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost:11434", 200),
        ("LOCALHOST:1", 200),
        ("127.0.0.1", 200),
        ("[::1]:11434", 200),
        ("0.0.0.0:11434", 200),
        ("192.168.1.4", 200),
        ("box.local", 200),
        ("host.docker.internal", 200),
        ("", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("evillocalhost", 403),
        ("8.8.8.8", 403),
        ("169.254.169.254", 403),
        ("2130706433", 403),
        ("0x7f.1", 403),
        ("127.0.0.1.nip.io", 403),
        ("[::ffff:8.8.8.8]", 403),
        ("user@localhost", 403),
        ("localhost/evil", 403),
        ("localhost#", 403),
        ("[::1", 403),
        ("a" * 5000, 403),
    ],
)
def test_host(host: str, expected: int) -> None:
    """B025-B031: a name that somebody else's DNS answers for is not this machine."""
    assert status(host=host) == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:3000", 200),
        ("https://127.0.0.1", 200),
        ("http://0.0.0.0:8080", 200),
        ("app://x", 200),
        ("tauri://localhost", 200),
        ("http://tauri.localhost", 200),
        ("https://a.b.localhost:5173", 200),
        ("capacitor://localhost", 200),
        ("http://localhost@evil.example", 403),
        ("http://xlocalhost", 403),
        ("https://x.localhost.evil.example", 403),
        ("vscode-webview://abc", 200),
        ("file://", 200),
        ("null", 403),
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("chrome-extension://abc", 403),
        ("http://[bad", 403),
    ],
)
def test_origin(origin: str, expected: int) -> None:
    """B041-B046: a page of another site is refused whatever it sends."""
    assert status(host="localhost", origin=origin) == expected


def test_a_browsers_cross_site_request_without_an_origin() -> None:
    """B050"""
    assert status(host="localhost", sec_fetch_site="cross-site") == 403


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (
            {"host": "ollama:11434"},
            "'ollama:11434' is not this machine, OLLAPY_ALLOWED",
        ),
        ({"host": "localhost", "origin": "moz-extension://x"}, "OLLAPY_ORIGINS has"),
        ({"host": "localhost", "sec_fetch_site": "cross-site"}, "from elsewhere asks"),
    ],
)
def test_the_log_says_who_was_refused_and_what_lets_them_in(
    headers: dict[str, str], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer has no body, so that a page learns nothing."""
    assert status(**headers) == 403
    assert told in caplog.text


def test_forwarded_hosts_are_not_believed() -> None:
    """B032"""
    assert status(host="evil.example", x_forwarded_host="localhost") == 403


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("8.8.8.8", 200),
        ("box.example", 200),
        ("evil.example", 403),
        ("192.168.1.4:1", 200),
        ("[2001:db8::1]", 200),
        ("user@box.example", 403),
    ],
)
def test_a_daemon_of_a_network_is_reached_by_address_and_by_its_names(
    host: str, expected: int
) -> None:
    """B035"""
    how = {"is_open": True, "hosts": ["box.example"]}

    assert ask(how, host=host)[0] == expected
    assert ask({"hosts": ["*"]}, host="evil.example")[0] == 200


@pytest.mark.parametrize(
    ("pattern", "origin", "expected"),
    [
        ("chrome-extension://*", "chrome-extension://abc", 200),
        ("chrome-extension://*", "moz-extension://abc", 403),
        ("https://*.example.com", "https://a.example.com", 200),
        ("https://*.example.com", "https://evil.org/.example.com", 403),
        ("https://*.example.com", "https://example.com.evil.org", 403),
        ("http://box:*", "http://box:3000", 200),
        ("https://one.example", "https://one.example", 200),
        ("https://one.example", "https://oneXexample", 403),
    ],
)
def test_origins_that_are_let_in(pattern: str, origin: str, expected: int) -> None:
    """B046"""
    found, told = ask({"origins": [pattern]}, host="localhost", origin=origin)

    assert found == expected
    assert told.get("access-control-allow-origin") == (
        origin if expected == 200 else None
    )


def test_a_page_that_may_ask_is_told_so() -> None:
    """B044: by name, as others may not."""
    _, told = ask(host="localhost", origin="http://localhost:3000")

    assert told["access-control-allow-origin"] == "http://localhost:3000"
    assert told["vary"] == "Origin"
    assert "access-control-allow-credentials" not in told


def test_every_page_may_ask_where_that_is_wanted() -> None:
    """B047"""
    found, told = ask({"origins": ["*"]}, host="localhost", origin="https://x.example")

    assert (found, told["access-control-allow-origin"]) == (200, "*")
    assert "access-control-allow-credentials" not in told


def test_preflights() -> None:
    """B034, B049"""
    asked = {
        "access_control_request_method": "POST",
        "access_control_request_headers": "authorization,x-stainless-os",
    }
    found, told = ask(
        method="OPTIONS", host="localhost", origin="http://localhost", **asked
    )
    foreign = ask(
        method="OPTIONS",
        host="localhost",
        origin="https://evil.example",
        access_control_request_private_network="true",
        **asked,
    )

    assert found == 204
    assert told["access-control-allow-headers"] == "authorization,x-stainless-os"
    assert "POST" in told["access-control-allow-methods"]
    assert foreign[0] == 403
    assert not [name for name in foreign[1] if name.startswith("access-control")]
    assert ask(method="OPTIONS", host="localhost")[0] == 204
    assert ask(method="OPTIONS", host="evil.example")[0] == 403


def test_the_gate_is_before_everything(daemon: Daemon) -> None:
    """B025: every path and method that there is, and one that there is not."""
    for path in (*(endpoint.path for endpoint in ENDPOINTS), "/nowhere", "/v1/nowhere"):
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
            for headers in (
                {"Host": "evil.example"},
                {"Origin": "https://evil.example"},
                {"Origin": "null", "Content-Type": "text/plain"},
            ):
                response = daemon.http.request(method, path, headers=headers)
                assert (response.status_code, response.content) == (403, b""), path
