from __future__ import annotations

import math
from pathlib import Path

import pytest

from ollapy.settings import Address, Settings


def test_defaults() -> None:
    settings = Settings.from_env({})

    assert str(settings.address) == "127.0.0.1:11434"
    assert (settings.keep_alive, settings.max_queue, settings.debug) == (
        300.0,
        512,
        False,
    )
    assert settings.models.name == "models"
    assert settings.warnings == ()


def test_ollapys_names_win_over_ollamas_and_quotes_are_stripped() -> None:
    env = {"OLLAMA_MODELS": "/a", "OLLAPY_MODELS": ' "/b" ', "OLLAMA_HOST": "'0.0.0.0'"}
    settings = Settings.from_env(env)

    assert settings.models == Path("/b")
    assert settings.address == Address("0.0.0.0", 11434)


@pytest.mark.parametrize(
    ("text", "address", "url"),
    [
        (":1234", "0.0.0.0:1234", "http://127.0.0.1:1234"),
        ("0.0.0.0", "0.0.0.0:11434", "http://127.0.0.1:11434"),
        ("host:1", "host:1", "http://host:1"),
        ("http://host", "host:80", "http://host:80"),
        ("https://host/", "host:443", "https://host:443"),
        ("[::1]:5", "[::1]:5", "http://[::1]:5"),
        ("[::]:5", "[::]:5", "http://[::1]:5"),
    ],
)
def test_addresses(text: str, address: str, url: str) -> None:
    found = Settings.from_env({"OLLAMA_HOST": text}).address

    assert (str(found), found.url) == (address, url)


@pytest.mark.parametrize(
    "text", ["abc:xyz", ":70000", "unix:/x", "ftp://h", "h/path", "a b"]
)
def test_an_unusable_address_is_the_default_with_a_warning(text: str) -> None:
    """B037"""
    settings = Settings.from_env({"OLLAPY_HOST": text})

    assert str(settings.address) == "127.0.0.1:11434"
    assert text in settings.warnings[0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10m", 600.0),
        ("-1", math.inf),
        ("0", 0.0),
        ("90", 90.0),
        ("1h30m", 5400.0),
        ("-5m", math.inf),
    ],
)
def test_keep_alive(text: str, seconds: float) -> None:
    assert Settings.from_env({"OLLAMA_KEEP_ALIVE": text}).keep_alive == seconds


def test_nonsense_is_the_default_with_a_warning_each() -> None:
    """B242"""
    env = {
        "OLLAMA_KEEP_ALIVE": "abc",
        "OLLAMA_MAX_QUEUE": "-1",
        "OLLAPY_NUM_THREADS": "many",
    }
    settings = Settings.from_env(env)

    assert (settings.keep_alive, settings.max_queue, settings.num_threads) == (
        300.0,
        512,
        0,
    )
    assert settings.warnings == (
        "OLLAMA_KEEP_ALIVE='abc' is not usable, using 5m",
        "OLLAPY_NUM_THREADS='many' is not usable, using the default",
        "OLLAMA_MAX_QUEUE='-1' is not usable, using 512",
    )


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("1", True),
        ("true", True),
        ("yes", True),
        ("0", False),
        ("F", False),
        ("", False),
    ],
)
def test_booleans_are_gos_and_other_text_is_true(text: str, flag: bool) -> None:
    assert Settings.from_env({"OLLAMA_DEBUG": text}).debug is flag


def test_a_runner_inherits_no_secrets() -> None:
    """B251"""
    env = {
        "PATH": "/bin",
        "HF_TOKEN": "s",
        "AWS_SECRET_ACCESS_KEY": "s",
        "OLLAMA_API_KEY": "s",
        "PYTHONPATH": "/x",
        "CUDA_VISIBLE_DEVICES": "0",
    }

    assert Settings.from_env(env).runner_env == {
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "0",
        "GGML_NO_BACKTRACE": "1",
    }


@pytest.mark.parametrize(
    "text", ["https://far", "http://10.0.0.7:8000/v1", "http://[::1]:8000/a/"]
)
def test_another_server_is_a_plain_url(text: str) -> None:
    settings = Settings.from_env({"OLLAPY_VLLM_URL": text, "OLLAPY_VLLM_API_KEY": "k"})
    assert (settings.vllm_url, settings.vllm_api_key) == (text, "k")
    assert settings.warnings == ()
    assert "'k'" not in repr(settings)


@pytest.mark.parametrize(
    "text", ["far:8000", "ftp://far", "http://", "http://me:secret@far", "http://a:b"]
)
def test_another_server_that_is_none_is_named(text: str) -> None:
    settings = Settings.from_env({"OLLAPY_VLLM_URL": text})
    assert settings.vllm_url == ""
    assert settings.warnings[0].startswith("OLLAPY_VLLM_URL=")
    assert "secret" not in settings.warnings[0]
