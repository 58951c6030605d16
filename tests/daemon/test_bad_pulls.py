"""Names and digests that cannot be, at every route that takes one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.support import judge
from tests.support.daemon import Daemon, running_daemon
from tests.support.models import add_model

# B073 to B080 of names: no part may be empty, lead anywhere, or be longer than a file's name.
BAD = [
    *(" ", "/", ":", "a/", "/a", "a:", "a//b", "a/b/c/d", "a b", " a", "a "),
    *("../x", "a/../b", "..:latest", "./x", "a/./b", "x:..", "host/../../m", "..", "."),
    *("-rf", "--help", ".hidden", "a/.b", "a/-b", "x:-y", "x:.y", "C:\\x", "~/x"),
    *("a" * 81, "x:" + "y" * 81, "n" * 81 + "/x", "h" * 351 + "/n/x", "a" * 10_000),
    *("a\n", "a\x1b[31m", "%2e%2e", "a\x7f", "a\0b", "ｌlama", "lläma", "a\u202eb"),
    *("hf.co/a/b/c", "hf.co/a/../c", "hf.co//b", "file:///etc/passwd", "a@b", "a?b#c"),
]
GOOD = [
    *("a..b", "a.", "_x", "a" * 80, "h" * 350 + "/n/x", "n" * 80 + "/x", "a:" + "y" * 80),
    *("https://h/n/x:t", "A-b_c.d:E-f_g.h", "h:8080/n/x", "0/1/2:3"),
]  # fmt: skip
HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        ("POST", "/api/pull", "invalid model name"),
        ("POST", "/api/push", "invalid model name"),
        ("POST", "/api/show", "invalid model name"),
        ("DELETE", "/api/delete", 'name "{}" is invalid'),
    ],
)
def test_names_that_cannot_be(
    daemon: Daemon, method: str, path: str, error: str
) -> None:
    before = judge.files(daemon.models)
    for name in BAD:
        response = daemon.http.request(method, path, json={"model": name})
        assert list(response.json()) == ["error"]
        told = response.json()["error"].partition("; Hugging Face's are")[0]
        assert (response.status_code, told) == (400, error.format(name)), name
        assert "\x1b" not in response.text
    assert judge.files(daemon.models) == before


@pytest.mark.parametrize("end", ["source", "destination"])
def test_names_that_cannot_be_copied(daemon: Daemon, end: str) -> None:
    for name in BAD:
        body = {"source": "tiny", "destination": "x", end: name}
        response = daemon.post("/api/copy", **body)
        assert response.status_code == 400, name
        assert response.json() == {"error": f'{end} "{name}" is invalid'}


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        ("POST", "/api/pull", "invalid model name"),
        ("POST", "/api/push", "model is required"),
        ("POST", "/api/show", "model is required"),
        ("DELETE", "/api/delete", "model is required"),
    ],
)
def test_no_name_at_all(daemon: Daemon, method: str, path: str, error: str) -> None:
    for body in ({}, {"model": ""}, {"model": None}, {"name": ""}):
        response = daemon.http.request(method, path, json=body)
        assert (response.status_code, response.json()) == (400, {"error": error})


def test_names_that_can_be(daemon: Daemon) -> None:
    for name in GOOD:
        response = daemon.post("/api/show", model=name)
        assert response.status_code == 404, (name, response.text)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    add_model(tmp_path / "models", "llama", TINY)
    with running_daemon(tmp_path) as daemon:
        yield daemon


def test_b079_a_name_in_other_letters_is_the_same_name(own: Daemon) -> None:
    assert (
        own.post("/api/copy", source="tiny", destination="LLAMA:Latest").status_code
        == 200
    )

    names = [model["name"] for model in own.http.get("/api/tags").json()["models"]]
    assert sorted(names) == ["llama:latest", "tiny:latest"]
    assert len(judge.manifests(own.models)) == 1
    own.delete("Llama")
    assert judge.manifests(own.models) == {}


# ---- digests


@pytest.mark.parametrize(
    "digest",
    [
        f"sha256:{HEX[1:]}",
        f"sha256:{HEX}0",
        f"md5:{HEX[:32]}",
        f"sha512:{HEX * 2}",
        HEX,
        "sha256:",
        f"sha256:{HEX}%0a",
        f"sha256:{HEX}%00",
        f"sha256:{HEX}%09",
        f"%20sha256:{HEX}",
        f"sha256:{HEX[:-1]}g",
        "sha256:" + "%EF%BC%90" * 64,
        "sha256:" + "%D9%A0" * 64,
        "sha256:..%2f..%2f" + HEX[12:],
    ],
)
@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_b061_digests_that_are_none(daemon: Daemon, method: str, digest: str) -> None:
    before = judge.files(daemon.models)
    response = daemon.http.request(method, f"/api/blobs/{digest}", content=b"x")

    if "%2f" in digest:  # a slash, and so another path, which is nobody's
        assert response.status_code == 404
    else:
        assert response.status_code == 400
        expected = json.dumps({"error": "invalid digest format"}, separators=(",", ":"))
        assert response.text == ("" if method == "HEAD" else expected)
    assert judge.files(daemon.models) == before


def test_b065_digests_in_other_spellings_are_one_blob(own: Daemon) -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    assert own.http.post(f"/api/blobs/sha256:{HEX}").status_code == 400
    assert own.http.post(f"/api/blobs/sha256-{empty.upper()}").status_code == 201
    for spelled in (f"sha256:{empty}", f"sha256-{empty}", f"sha256:{empty.upper()}"):
        assert own.http.head(f"/api/blobs/{spelled}").status_code == 200
        assert own.http.post(f"/api/blobs/{spelled}").status_code == 200
    assert f"blobs/sha256-{empty}" in judge.files(own.models)
    assert empty.upper() not in str(judge.files(own.models))
