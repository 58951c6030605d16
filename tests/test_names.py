"""Names and digests: what is one, what is none, and that no name leads out of its folder."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from ollapy.errors import InvalidName, InvalidRequest
from ollapy.names import Digest, ModelName

NAMES = {
    "bare": ("mistral", "registry.ollama.ai/library/mistral:latest", "mistral:latest"),
    "tag": ("llama3.2:1b", "registry.ollama.ai/library/llama3.2:1b", "llama3.2:1b"),
    "namespace": ("user/m:7b", "registry.ollama.ai/user/m:7b", "user/m:7b"),
    "host": ("hf.co/org/repo:Q4_K_M", "hf.co/org/repo:Q4_K_M", "hf.co/org/repo:Q4_K_M"),
    "port": ("localhost:5000/a/b", "localhost:5000/a/b:latest", "localhost:5000/a/b:latest"),
    "scheme": ("https://hf.co/a/b:c", "hf.co/a/b:c", "hf.co/a/b:c"),
    "default host spelled out": ("registry.ollama.ai/library/x", "registry.ollama.ai/library/x:latest", "x:latest"),
    "default namespace elsewhere": ("hf.co/library/x", "hf.co/library/x:latest", "hf.co/library/x:latest"),
    "B076 inner dots": ("a..b", "registry.ollama.ai/library/a..b:latest", "a..b:latest"),
    "B076 last dot": ("a.", "registry.ollama.ai/library/a.:latest", "a.:latest"),
    "B076 underscore": ("_x", "registry.ollama.ai/library/_x:latest", "_x:latest"),
    "page": ("https://ollama.com/library/x", "registry.ollama.ai/library/x:latest", "x:latest"),
    "page of a tag": ("ollama.com/library/qwen3:4b", "registry.ollama.ai/library/qwen3:4b", "qwen3:4b"),
    "page of a user's": ("https://www.ollama.com/me/x/tags", "registry.ollama.ai/me/x:latest", "me/x:latest"),
    "page of the hub": ("https://huggingface.co/a/b?x=1#y", "huggingface.co/a/b:latest", "huggingface.co/a/b:latest"),
    "page of the hub's files": ("https://huggingface.co/a/b/tree/main", "huggingface.co/a/b:latest", "huggingface.co/a/b:latest"),
    "B077 80 characters": ("m" * 80, f"registry.ollama.ai/library/{'m' * 80}:latest", f"{'m' * 80}:latest"),
    "B077 host of 350": (f"{'h' * 350}/n/m", f"{'h' * 350}/n/m:latest", f"{'h' * 350}/n/m:latest"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "full", "short"), NAMES.values(), ids=NAMES)
def test_names(text: str, full: str, short: str) -> None:
    name = ModelName.parse(text)

    assert name.full == full
    assert str(name) == short
    assert ModelName.parse(full) == ModelName.parse(short) == name


NO_NAMES = {
    "B073": ["", " ", "/", ":", "a/", "/a", "a:", ":a", "a//b", "a/b/c/d", "a:b:c", "a/:b", " a", "a "],
    "B074": ["../x", "a/../b", "..", "..:latest", "./x", "a/./b", "x:..", "x:.", "host/../../m", "/etc/passwd", "C:\\x"],
    "B076": ["-rf", "--help", ".hidden", "a/.b", "a:-b", "é", "a b"],
    "B077": ["m" * 81, "x:" + "t" * 81, f"{'n' * 81}/m", f"{'h' * 351}/n/m", "x" * 10_000],
    "B080": ["a\n", "a\nb", "a\x1b[31m", "%2e%2e", "a\x7f", "a\0", "ａ", "a:b\n"],
    "dot in namespace": ["a.b/c"],
    "digest": ["a@sha256:" + "0" * 64],
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [text for texts in NO_NAMES.values() for text in texts],
    ids=lambda text: repr(text)[:20],
)
def test_no_names(text: str) -> None:
    with pytest.raises(InvalidName) as caught:
        ModelName.parse(text)

    assert str(caught.value) == "invalid model name"


@pytest.mark.parametrize(
    "text", ["hf.co/a", "https://huggingface.co/a/b/blob/main/c.gguf", "HF.co/a/b c"]
)
def test_what_is_no_name_of_hugging_face_leads_to_one(text: str) -> None:
    with pytest.raises(InvalidName, match="Hugging Face's are hf"):
        ModelName.parse(text)


def test_path_and_key() -> None:
    name = ModelName.parse("HF.co/Org/Repo:Q4")

    assert name.path == PurePosixPath("HF.co/Org/Repo/Q4")
    assert name.key == ModelName.parse("hf.co/org/repo:q4").key


@pytest.mark.parametrize(
    "text", ["sha256:" + "aB" * 32, "sha256-" + "Ab" * 32], ids=["colon", "dash"]
)
def test_b065_digests_are_folded_to_one_spelling(text: str) -> None:
    digest = Digest.parse(text)

    assert str(digest) == "sha256:" + "ab" * 32
    assert digest.filename == "sha256-" + "ab" * 32


NO_DIGESTS = {
    "B061 63 digits": "sha256:" + "a" * 63,
    "B061 65 digits": "sha256:" + "a" * 65,
    "B061 md5": "md5:" + "a" * 32,
    "B061 sha512": "sha512:" + "a" * 128,
    "B061 no prefix": "a" * 64,
    "B061 empty": "",
    "B062 newline": "sha256:" + "a" * 64 + "\n",
    "B062 space": "sha256:" + "a" * 63 + " ",
    "B062 NUL": "sha256:" + "a" * 64 + "\0",
    "B062 tab": "\tsha256:" + "a" * 64,
    "B064 fullwidth": "sha256:" + "\uff11" * 64,
    "B064 Arabic": "sha256:" + "\u0661" * 64,
    "a path": "sha256:../" + "a" * 61,
}


@pytest.mark.parametrize("text", NO_DIGESTS.values(), ids=NO_DIGESTS)
def test_no_digests(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Digest.parse(text)

    assert str(caught.value) == "invalid digest format"
