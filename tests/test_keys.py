"""The file of API keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from ollapy.errors import NotFound, OllapyError
from ollapy.keys import KeyRing, Scope


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    """One without keys, in a folder that is not there yet."""
    return KeyRing(tmp_path / "config" / "keys.json")


def test_a_secret_opens_what_its_scope_allows(ring: KeyRing) -> None:
    infer, manage = (
        ring.create("a", Scope.INFER),
        ring.create("b", Scope.MANAGE),
    )

    weak, strong = ring.find(infer), ring.find(manage)
    assert weak is not None
    assert strong is not None
    assert (weak.name, strong.name) == ("a", "b")
    assert weak.allows(Scope.INFER)
    assert not weak.allows(Scope.MANAGE)
    assert strong.allows(Scope.INFER)
    assert strong.allows(Scope.MANAGE)
    assert ring.find("") is None
    assert ring.find(infer[:-1]) is None


def test_only_the_owner_may_read_the_file_and_it_has_no_secret(
    ring: KeyRing, tmp_path: Path
) -> None:
    secret = ring.create("a", Scope.INFER)
    (file,) = (tmp_path / "config").iterdir()

    assert file.stat().st_mode & 0o777 == 0o600
    assert secret not in file.read_text()


def test_what_another_process_does_is_seen(ring: KeyRing, tmp_path: Path) -> None:
    secret = ring.create("a", Scope.INFER)
    other = KeyRing(tmp_path / "config" / "keys.json")
    (key,) = other.keys
    other.revoke(key.id)

    assert ring.find(secret) is None
    with pytest.raises(NotFound, match="see `ollapy key list`"):
        other.revoke(key.id)


def test_a_damaged_file_opens_nothing(ring: KeyRing, tmp_path: Path) -> None:
    secret = ring.create("a", Scope.INFER)
    (tmp_path / "config" / "keys.json").write_text("[{")

    with pytest.raises(OllapyError, match="`ollapy key create`"):
        ring.find(secret)
