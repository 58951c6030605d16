"""Manifests: Ollama's files, found by any spelling, and one bad file hides no other."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from ollapy.errors import CorruptManifest
from ollapy.names import Digest, ModelName
from ollapy.store import Layer, Manifest, Manifests
from ollapy.store.manifests import (
    CONFIG_TYPE,
    LAYER_TYPE,
    decode,
    digest_of,
    encode,
)

A, B = Digest("a" * 64), Digest("b" * 64)
TEXT = (
    '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",'
    f'"config":{{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"{A}","size":2}},'
    f'"layers":[{{"mediaType":"application/vnd.ollama.image.model","digest":"{B}","size":3,"from":"base"}}]}}\n'
).encode()
MANIFEST = Manifest(
    config=Layer(CONFIG_TYPE, str(A), 2),
    layers=[Layer(f"{LAYER_TYPE}model", str(B), 3, from_="base")],
)


def name(text: str) -> ModelName:
    return ModelName.parse(text)


def test_the_json_is_ollamas() -> None:
    assert encode(MANIFEST) == TEXT
    assert decode(TEXT, name("x")) == MANIFEST


def test_parts_of_a_manifest() -> None:
    assert MANIFEST.digests == {A, B}
    assert MANIFEST.size == 5
    assert [layer.digest for layer in MANIFEST.layers_of("model")] == [B]
    assert MANIFEST.config.kind == "config"


def test_written_where_ollama_has_it(tmp_path: Path) -> None:
    manifests = Manifests(tmp_path / "manifests")

    manifests.write(name("user/model:7b"), TEXT)

    path = tmp_path / "manifests/registry.ollama.ai/user/model/7b"
    assert path.read_bytes() == TEXT
    assert path.stat().st_mode & 0o777 == 0o644
    found = manifests.find(name("user/model:7b"))
    assert found is not None
    assert found.manifest == MANIFEST
    assert found.digest == digest_of(TEXT)
    assert found.modified_at == path.stat().st_mtime


def test_bytes_from_elsewhere_are_kept(tmp_path: Path) -> None:
    theirs = TEXT.replace(b'{"schema', b'{ "extra": [1], "schema')

    Manifests(tmp_path).write(name("x"), theirs)

    found = Manifests(tmp_path).find(name("x"))
    assert found is not None
    assert found.digest == digest_of(theirs)
    assert found.manifest == MANIFEST


def test_b079_the_stored_spelling_wins(tmp_path: Path) -> None:
    manifests = Manifests(tmp_path)
    manifests.write(name("LLaMA:7B"), TEXT)
    manifests.write(name("llama:7b"), TEXT)

    assert [str(entry.name) for entry in manifests.entries()] == ["LLaMA:7B"]
    found = manifests.find(name("Llama:7b"))
    assert found is not None
    assert str(found.name) == "LLaMA:7B"


def test_removed_with_the_folders_that_only_it_was_in(tmp_path: Path) -> None:
    manifests = Manifests(tmp_path)
    manifests.write(name("a/one"), TEXT)
    manifests.write(name("b/two"), TEXT)

    assert manifests.remove(name("A/one"))
    assert not manifests.remove(name("a/one"))
    assert [path.name for path in (tmp_path / "registry.ollama.ai").iterdir()] == ["b"]


BAD = {
    "empty": b"",
    "not JSON": b"<html>",
    "not UTF-8": b'{"layers":"\xff"}',
    "deep": b"[" * 100_000,
    "a list": b"[]",
    "no config": b'{"layers":[]}',
    "no layers": TEXT.replace(b'"layers"', b'"players"'),
    "digest malformed": TEXT.replace(b"a" * 64, b"a" * 63),
    "digest a path": TEXT.replace(b"a" * 64, b"/../../../etc/passwd"),
    "digest a number": TEXT.replace(f'"{A}"'.encode(), b"5"),
    "size negative": TEXT.replace(b'"size":2', b'"size":-2'),
    "size a string": TEXT.replace(b'"size":2', b'"size":"2"'),
    "too many layers": encode(
        Manifest(config=MANIFEST.config, layers=[MANIFEST.config] * 1001)
    ),
    "too large": TEXT + b" " * (4 << 20),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_damaged_manifest_hides_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    manifests = Manifests(tmp_path)
    manifests.write(name("good"), TEXT)
    manifests.write(name("bad"), data)

    with caplog.at_level(logging.WARNING):
        assert [str(entry.name) for entry in manifests.entries()] == ["good:latest"]

    assert "manifest skipped model=bad:latest" in caplog.text
    with pytest.raises(
        CorruptManifest, match="the manifest of 'bad:latest' is damaged"
    ):
        manifests.find(name("bad"))
    with pytest.raises(CorruptManifest):
        manifests.digests()


def test_files_that_are_no_names_are_passed_over(tmp_path: Path) -> None:
    manifests = Manifests(tmp_path)
    manifests.write(name("good"), TEXT)
    folder = tmp_path / "registry.ollama.ai/library/good"
    for stray in (".DS_Store", "-x", ".new-abc"):
        (folder / stray).write_bytes(b"?")
    (folder / "folder").mkdir()
    (tmp_path / "stray").write_bytes(b"?")

    assert [str(entry.name) for entry in manifests.entries()] == ["good:latest"]
    assert manifests.digests() == {A, B}


def test_looking_creates_nothing(tmp_path: Path) -> None:
    manifests = Manifests(tmp_path / "absent")

    assert manifests.entries() == []
    assert manifests.find(name("x")) is None
    assert not manifests.remove(name("x"))
    assert list(tmp_path.iterdir()) == []
