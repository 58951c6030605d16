"""Folders: where the system keeps what belongs to a user. platformdirs is imported late, `--help` needs no folder."""

from __future__ import annotations

from pathlib import Path

_NAME = "ollapy"


def models() -> str:
    """Of the models."""
    import platformdirs

    return str(platformdirs.user_data_path(_NAME) / "models")


def logs() -> str:
    """Of the daemon's log."""
    import platformdirs

    return str(platformdirs.user_log_path(_NAME))


def state() -> str:
    """Of what is remembered."""
    import platformdirs

    return str(platformdirs.user_state_path(_NAME))


def kv_cache() -> str:
    """Of what was computed of prompts."""
    import platformdirs

    return str(platformdirs.user_cache_path(_NAME) / "kv")


def keys() -> str:
    """The file of the API keys."""
    return str(config().with_name("keys.json"))


def history() -> Path:
    """The file of a chat's inputs."""
    return Path(state()) / "history"


def config() -> Path:
    """The settings file."""
    import platformdirs

    return platformdirs.user_config_path(_NAME) / "config.toml"
