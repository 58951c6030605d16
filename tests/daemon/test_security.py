"""The gate in front of a small application, through ASGI itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from ollapy.daemon.security import Gate


def status(**headers: str) -> int:
    """The status a request with these headers gets."""
    sent: list[Any] = []
    pairs = [
        (name.replace("_", "-").encode(), value.encode("latin-1"))
        for name, value in headers.items()
    ]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": pairs}

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Gate(PlainTextResponse("in"))(scope, receive, send))
    return int(sent[0]["status"])


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


def test_forwarded_hosts_are_not_believed() -> None:
    """B032"""
    assert status(host="evil.example", x_forwarded_host="localhost") == 403
