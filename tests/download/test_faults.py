"""Downloads from servers that do everything wrong."""

from __future__ import annotations

import gzip
import hashlib
import random
import re
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from ollapy.api.ollama import Progress
from ollapy.download import Downloader, Source
from ollapy.download.partial import BLOCK, blocks_path, data_path
from ollapy.errors import (
    Cancelled,
    DigestMismatch,
    NotOnRemote,
    OllapyError,
    RemoteError,
    StoreError,
    Unauthorized,
)
from ollapy.names import Digest
from ollapy.net.http import Http, Timeouts
from ollapy.operation import Operation
from ollapy.store import Blobs
from tests.support.disk import small_disk
from tests.support.misbehaving import Asked, Behaviour, Reply, Server, misbehaving
from tests.support.waiting import eventually

DATA = random.Random(1).randbytes(3 * BLOCK + 12345)
LARGE = random.Random(2).randbytes(100 * BLOCK + 7)


def digest_of(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest())


def fetch(
    blobs: Blobs,
    server: Server,
    data: bytes = DATA,
    *,
    operation: Operation | None = None,
    source: Source | None = None,
    size: int | None = None,
    http: Http | None = None,
    max_rate: int | None = None,
) -> None:
    downloader = Downloader(blobs, http or Http(), max_rate=max_rate)
    downloader.fetch(
        digest_of(data),
        len(data) if size is None else size,
        source or Source(server.url()),
        operation or Operation(),
    )


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries as ever, but at once."""
    monkeypatch.setattr("ollapy.net.retry._MAX_DELAY", 0.01)


def good(asked: Asked, reply: Reply) -> None:
    reply.ranged(asked, DATA)


def first_then(first: Behaviour, then: Behaviour = good) -> Behaviour:
    """The first request is answered in one way, later ones in another."""

    def answer(asked: Asked, reply: Reply) -> None:
        (first if len(reply.server.asked) == 1 else then)(asked, reply)

    return answer


def left(blobs: Blobs) -> set[str]:
    return {path.name for path in blobs.path(digest_of(DATA)).parent.iterdir()}


def check_whole(blobs: Blobs, data: bytes = DATA) -> None:
    digest = digest_of(data)
    assert blobs.path(digest).read_bytes() == data
    assert left(blobs) == {digest.filename}


def test_a_good_server(blobs: Blobs) -> None:
    with misbehaving(good) as server:
        fetch(blobs, server)
        fetch(blobs, server)

    check_whole(blobs)
    assert server.served == len(DATA)


def test_many_parts_over_many_connections(blobs: Blobs) -> None:
    with misbehaving(lambda asked, reply: reply.ranged(asked, LARGE)) as server:
        fetch(blobs, server, LARGE)

    check_whole(blobs, LARGE)
    assert server.served == len(LARGE)
    assert sorted(asked.span or () for asked in server.asked) == [
        (0, 64 * BLOCK),
        (64 * BLOCK, len(LARGE)),
    ]


def test_an_empty_blob(blobs: Blobs) -> None:
    with misbehaving(good) as server:
        fetch(blobs, server, b"")

    check_whole(blobs, b"")


@pytest.mark.parametrize("kept", [0, 1, 5 * 1000, 2 * BLOCK + 1, len(DATA) - 1])
def test_a_connection_that_drops_is_gone_on_with(blobs: Blobs, kept: int) -> None:
    def drop(asked: Asked, reply: Reply) -> None:
        reply.head("200 OK", Content_Length=len(DATA))
        reply.body(DATA[:kept])

    with misbehaving(first_then(drop)) as server:
        fetch(blobs, server)

    check_whole(blobs)
    assert server.served <= len(DATA) + BLOCK


def test_a_connection_that_says_nothing(blobs: Blobs) -> None:
    with misbehaving(first_then(lambda asked, reply: None)) as server:
        fetch(blobs, server)

    check_whole(blobs)


def test_a_stall_is_left(blobs: Blobs) -> None:
    def stall(asked: Asked, reply: Reply) -> None:
        reply.head("200 OK", Content_Length=len(DATA))
        reply.body(DATA[: 2 * BLOCK])
        reply.stall()

    with misbehaving(first_then(stall)) as server:
        fetch(blobs, server, http=Http(timeouts=Timeouts(stall=0.2)))

    check_whole(blobs)


def test_a_stall_without_end_is_given_up(blobs: Blobs) -> None:
    http = Http(timeouts=Timeouts(stall=0.02))
    with (
        misbehaving(lambda asked, reply: reply.stall()) as server,
        pytest.raises(RemoteError, match="did not answer in time"),
    ):
        fetch(blobs, server, http=http)


def test_a_range_that_is_ignored(blobs: Blobs) -> None:
    """What is there is not appended to: everything comes again."""

    def drop(asked: Asked, reply: Reply) -> None:
        reply.head("200 OK", Content_Length=len(DATA))
        reply.body(DATA[: 2 * BLOCK])

    def whole(asked: Asked, reply: Reply) -> None:
        reply.head("200 OK", Content_Length=len(DATA))
        reply.body(DATA)

    with misbehaving(first_then(drop, whole)) as server:
        fetch(blobs, server)

    check_whole(blobs)


@pytest.mark.parametrize(
    "wrong", ["bytes 0-9/10", "bytes 0-0/*", "nonsense", "bytes 5-104857606/104857607"]
)
def test_a_part_that_was_not_asked_for(blobs: Blobs, wrong: str) -> None:
    def lie(asked: Asked, reply: Reply) -> None:
        start, end = asked.span or (0, len(LARGE))
        reply.head(
            "206 Partial Content", Content_Length=end - start, Content_Range=wrong
        )
        reply.body(LARGE[start:end])

    with (
        misbehaving(lie) as server,
        pytest.raises(RemoteError, match="not asked for"),
    ):
        fetch(blobs, server, LARGE)
    assert not blobs.exists(digest_of(LARGE))


@pytest.mark.parametrize("length", [len(DATA) - 1, len(DATA) + 1, 0, "x"])
def test_a_length_that_is_not_the_manifests(blobs: Blobs, length: object) -> None:
    def lie(asked: Asked, reply: Reply) -> None:
        reply.head("200 OK", Content_Length=length)
        reply.body(DATA)

    with misbehaving(lie) as server, pytest.raises(RemoteError, match="another size"):
        fetch(blobs, server)


def test_no_length_at_all(blobs: Blobs) -> None:
    def silent(asked: Asked, reply: Reply) -> None:
        reply.head("200 OK")
        reply.body(DATA)

    with misbehaving(silent) as server:
        fetch(blobs, server)
    check_whole(blobs)


def test_no_length_and_more_than_there_should_be(blobs: Blobs) -> None:
    def endless(asked: Asked, reply: Reply) -> None:
        reply.head("200 OK")
        reply.body(DATA + b"more")

    with misbehaving(endless) as server, pytest.raises(RemoteError, match="longer"):
        fetch(blobs, server)


def test_chunks(blobs: Blobs) -> None:
    def chunked(asked: Asked, reply: Reply) -> None:
        reply.head("200 OK", Transfer_Encoding="chunked")
        for start in range(0, len(DATA), 100_000):
            piece = DATA[start : start + 100_000]
            reply.raw(b"%x\r\n%s\r\n" % (len(piece), piece))
        reply.raw(b"0\r\n\r\n")

    with misbehaving(chunked) as server:
        fetch(blobs, server)
    check_whole(blobs)


@pytest.mark.parametrize("at", [0, BLOCK + 5, len(DATA) - 1])
def test_a_flipped_bit_is_found(blobs: Blobs, at: int) -> None:
    damaged = bytearray(DATA)
    damaged[at] ^= 1

    with (
        misbehaving(lambda asked, reply: reply.ranged(asked, bytes(damaged))) as server,
        pytest.raises(DigestMismatch, match="digest mismatch, file must be downloaded"),
    ):
        fetch(blobs, server)
    assert left(blobs) == set()

    with misbehaving(good) as server:
        fetch(blobs, server)
    check_whole(blobs)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Retry_After": 0},
        {"Retry_After": "soon"},
        {"Retry_After": "Mon, 01 Jan 2024 00:00:00 GMT"},
    ],
)
@pytest.mark.parametrize(
    "status", ["429 Too Many Requests", "500 Oops", "502 Bad Gateway"]
)
def test_a_busy_server_is_asked_again(
    blobs: Blobs, status: str, headers: dict[str, object]
) -> None:
    def busy(asked: Asked, reply: Reply) -> None:
        reply.whole(status, b"<html>busy</html>", **headers)

    with misbehaving(first_then(busy)) as server:
        fetch(blobs, server)
    check_whole(blobs)
    assert len(server.asked) == 2


def test_a_server_that_wants_an_hour(blobs: Blobs) -> None:
    def busy(asked: Asked, reply: Reply) -> None:
        reply.whole("429 Too Many Requests", b"later", Retry_After=3600)

    with misbehaving(busy) as server, pytest.raises(RemoteError, match="429: later"):
        fetch(blobs, server)
    assert len(server.asked) == 1


def test_an_error_of_a_gigabyte_with_escapes(blobs: Blobs) -> None:
    def loud(asked: Asked, reply: Reply) -> None:
        reply.head("400 Bad", Content_Length=1 << 30)
        for _ in range(1 << 14):
            reply.body(b"\x1b[31mno" * 8192)

    with misbehaving(loud) as server, pytest.raises(RemoteError) as caught:
        fetch(blobs, server)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert server.served < 64 << 20


def test_a_blob_that_is_not_there(blobs: Blobs) -> None:
    with (
        misbehaving(lambda asked, reply: reply.whole("404 Not Found", b"")) as server,
        pytest.raises(NotOnRemote, match=str(digest_of(DATA))),
    ):
        fetch(blobs, server)


def test_no_access_however_often(blobs: Blobs) -> None:
    def deny(asked: Asked, reply: Reply) -> None:
        reply.whole("401 Unauthorized", b"", WWW_Authenticate="Bearer realm=x")

    asked: list[str | None] = []

    def headers(challenge: str | None) -> dict[str, str]:
        asked.append(challenge)
        return {}

    with misbehaving(deny) as server, pytest.raises(Unauthorized):
        fetch(blobs, server, source=Source(server.url(), headers))
    assert asked == [None, "Bearer realm=x"]


def test_a_token_that_expires_between_parts(blobs: Blobs) -> None:
    valid = ["first"]

    def guarded(asked: Asked, reply: Reply) -> None:
        if asked.header("authorization") != valid[0]:
            reply.whole("401 Unauthorized", b"", WWW_Authenticate="Bearer")
        else:
            valid[0] = f"after {len(reply.server.asked)}"
            reply.ranged(asked, LARGE)

    def headers(challenge: str | None) -> dict[str, str]:
        return {"Authorization": valid[0] if challenge else "old"}

    with misbehaving(guarded) as server:
        fetch(blobs, server, LARGE, source=Source(server.url(), headers))
    check_whole(blobs, LARGE)


def test_an_address_that_expires(blobs: Blobs) -> None:
    """The origin is asked for another one."""

    def origin(asked: Asked, reply: Reply) -> None:
        if asked.path == "/blob":
            number = sum(a.path == "/blob" for a in reply.server.asked)
            reply.whole("302 Found", b"", Location=f"/signed/{number}")
        elif asked.path == "/signed/1":
            reply.whole("403 Forbidden", b"expired")
        else:
            reply.ranged(asked, DATA)

    with misbehaving(origin) as server:
        fetch(blobs, server)
    check_whole(blobs)


def test_credentials_stay_at_home(blobs: Blobs) -> None:
    with misbehaving(good) as elsewhere:

        def origin(asked: Asked, reply: Reply) -> None:
            reply.whole("307 Temporary Redirect", b"", Location=elsewhere.url())

        with misbehaving(origin) as server:
            source = Source(server.url(), lambda _: {"Authorization": "Bearer secret"})
            fetch(blobs, server, source=source)

    assert server.asked[0].header("authorization") == "Bearer secret"
    assert elsewhere.asked[0].header("authorization") is None
    check_whole(blobs)


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "//127.0.0.1/x",
        "http://a\\@127.0.0.1/",
        "http://a#@127.0.0.1/",
        "http://user:secret@127.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "/again",
    ],
)
def test_redirects_that_are_not_followed(blobs: Blobs, location: str) -> None:
    def origin(asked: Asked, reply: Reply) -> None:
        reply.whole("302 Found", b"", Location=location)

    with misbehaving(origin) as server, pytest.raises(RemoteError) as caught:
        fetch(blobs, server)
    assert "secret" not in str(caught.value)
    assert len(server.asked) <= 6


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "10.0.0.1", "[::1]"])
def test_a_public_server_does_not_lead_inside(blobs: Blobs, host: str) -> None:
    with misbehaving(good) as inside:

        def origin(asked: Asked, reply: Reply) -> None:
            reply.whole("302 Found", b"", Location=f"http://{host}:{inside.port}/x")

        # 127.0.0.2 plays the internet
        http = Http(insecure=True, is_public=lambda address: address == "127.0.0.2")
        with misbehaving(origin, "127.0.0.2") as server:
            source = Source(server.url(host="127.0.0.2"))
            with pytest.raises(RemoteError, match="not public"):
                fetch(blobs, server, http=http, source=source)
    assert inside.asked == []


def test_a_compressed_bomb_is_not_blown_up(blobs: Blobs) -> None:
    packed = gzip.compress(bytes(len(DATA)))

    def bomb(asked: Asked, reply: Reply) -> None:
        reply.whole("200 OK", packed, Content_Encoding="gzip")

    with misbehaving(bomb) as server, pytest.raises(RemoteError, match="another size"):
        fetch(blobs, server)
    assert server.asked[0].header("accept-encoding") == "identity"


def test_headers_without_end(blobs: Blobs) -> None:
    def chatty(asked: Asked, reply: Reply) -> None:
        reply.raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000)

    with misbehaving(chatty) as server, pytest.raises(RemoteError, match="malformed"):
        fetch(blobs, server)


def test_slow_but_steady(blobs: Blobs) -> None:
    with misbehaving(good) as server:
        fetch(blobs, server, max_rate=20_000_000)
    check_whole(blobs)


def test_cancelled_in_a_stall_and_gone_on_with(blobs: Blobs) -> None:
    def stall(asked: Asked, reply: Reply) -> None:
        reply.head("200 OK", Content_Length=len(DATA))
        reply.body(DATA[: 2 * BLOCK])
        reply.stall()

    seen: list[int] = []

    def cancel_at(record: Progress) -> None:
        seen.append(record.completed)
        if record.completed >= 2 * BLOCK:
            operation.cancel()

    operation = Operation(cancel_at)
    with misbehaving(first_then(stall)) as server:
        with pytest.raises(Cancelled):
            fetch(blobs, server, operation=operation, http=Http())
        assert data_path(blobs.path(digest_of(DATA))).exists()
        again: list[int] = []
        fetch(blobs, server, operation=Operation(lambda r: again.append(r.completed)))

    check_whole(blobs)
    assert seen == sorted(seen)
    assert again == sorted(again)
    assert again[0] >= 2 * BLOCK
    assert server.served == len(DATA)


@pytest.mark.parametrize("damage", [b"", b"junk", b"ollapy-1 " + b"x" * 5000])
def test_a_damaged_state_starts_over(blobs: Blobs, damage: bytes) -> None:
    path = blobs.path(digest_of(DATA))
    path.parent.mkdir(parents=True)
    data_path(path).write_bytes(bytes(len(DATA)))
    blocks_path(path).write_bytes(damage)

    with misbehaving(good) as server:
        fetch(blobs, server)

    check_whole(blobs)
    assert server.served == len(DATA)


@pytest.mark.parametrize(
    ("state", "served"), [(b"\1", len(DATA)), (b"\2", len(DATA) - BLOCK)]
)
def test_after_another_boot_only_what_was_flushed_counts(
    blobs: Blobs, state: bytes, served: int
) -> None:
    path = blobs.path(digest_of(DATA))
    path.parent.mkdir(parents=True)
    data_path(path).write_bytes(DATA[:BLOCK] + bytes(len(DATA) - BLOCK))
    header = b"ollapy-1 %20d %-36s\n" % (len(DATA), b"another boot")
    blocks_path(path).write_bytes(header + state + bytes(3))

    with misbehaving(good) as server:
        fetch(blobs, server)

    check_whole(blobs)
    assert server.served == served


_CHILD = """
import sys
from pathlib import Path
from ollapy.download import Downloader, Source
from ollapy.names import Digest
from ollapy.net.http import Http
from ollapy.operation import Operation
from ollapy.store import Blobs
folder, url, digest, size = sys.argv[1:]
Downloader(Blobs(Path(folder)), Http()).fetch(Digest(digest), int(size), Source(url), Operation())
"""


def child(blobs: Blobs, server: Server) -> subprocess.Popen[bytes]:
    digest = digest_of(DATA)
    folder = blobs.path(digest).parent
    arguments = [str(folder), server.url(), digest.hex, str(len(DATA))]
    return subprocess.Popen([sys.executable, "-c", _CHILD, *arguments])


def test_a_killed_process_is_gone_on_with(blobs: Blobs) -> None:
    def stall(asked: Asked, reply: Reply) -> None:
        reply.head("200 OK", Content_Length=len(DATA))
        reply.body(DATA[: 2 * BLOCK + 99])
        reply.stall()

    state = blocks_path(blobs.path(digest_of(DATA)))
    with misbehaving(first_then(stall)) as server:
        process = child(blobs, server)
        eventually(
            lambda: state.exists() and state.read_bytes().count(b"\1") >= 2,
            "nothing was downloaded",
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
        fetch(blobs, server)

    check_whole(blobs)
    assert server.served <= len(DATA) + BLOCK


def test_two_processes_share_one_download(blobs: Blobs) -> None:
    with misbehaving(good) as server:
        processes = [child(blobs, server) for _ in range(2)]
        assert [process.wait(30) for process in processes] == [0, 0]

    check_whole(blobs)
    assert server.served == len(DATA)


def test_who_waits_goes_on_where_the_other_stops(blobs: Blobs) -> None:
    def stall(asked: Asked, reply: Reply) -> None:
        reply.head("200 OK", Content_Length=len(DATA))
        reply.body(DATA[:BLOCK])
        reply.stall()

    first, failures = Operation(), list[OllapyError]()

    def run(operation: Operation) -> None:
        try:
            fetch(blobs, server, operation=operation, http=Http())
        except OllapyError as exc:
            failures.append(exc)

    with misbehaving(first_then(stall)) as server:
        one = Thread(target=run, args=(first,))
        one.start()
        eventually(lambda: server.served >= BLOCK, "nothing was downloaded")
        other = Thread(target=run, args=(Operation(),))
        other.start()
        first.cancel()
        one.join(10)
        other.join(10)

    assert [type(exc) for exc in failures] == [Cancelled]
    check_whole(blobs)
    assert server.served <= len(DATA) + BLOCK


def test_a_disk_that_is_too_small(blobs: Blobs) -> None:
    huge = 1 << 60

    with (
        misbehaving(good) as server,
        pytest.raises(StoreError, match=re.compile("not enough disk space: .* needed")),
    ):
        fetch(blobs, server, size=huge)
    assert server.asked == []


def test_a_small_disk(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", size=2 << 20) as disk,
        misbehaving(good) as server,
    ):
        with pytest.raises(StoreError, match="disk space"):
            fetch(Blobs(disk / "blobs"), server)
        assert server.asked == []
