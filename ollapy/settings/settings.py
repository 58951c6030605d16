"""Settings: the whole configuration of a daemon or a client."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from ollapy.names import ModelName
from ollapy.settings import folders
from ollapy.settings.file import File
from ollapy.settings.found import Found, find
from ollapy.settings.models import ModelDefaults, Sections, defaults_of, sections
from ollapy.settings.others import others
from ollapy.settings.setting import Setting
from ollapy.settings.strangers import unknown_keys
from ollapy.settings.table import TABLE, Table

CONFIG = "OLLAPY_CONFIG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Table):
    """What was set, and what follows from the file's sections and from other programs' variables."""

    history: Path
    sections: Sections
    key: Path
    docker_config: Path
    hub_cache: Path
    hub_endpoint: str
    hub_offline: bool
    ollama_models: tuple[Path, ...]
    lm_studio_models: tuple[Path, ...]
    runner_env: Mapping[str, str]
    vllm_env: Mapping[str, str] = field(repr=False)
    hub_token: str = field(repr=False)
    file: File = field(repr=False)
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """The settings of this process and its user's file, or of the environment given and the file that it names."""
        given = os.environ if env is None else env
        file = File.read(config_path(given)) if _has_file(env) else File()
        problems = [file.problem] if file.problem else []
        found = {
            name: find(it, given, file, problems).value for name, it in TABLE.items()
        }
        problems += unknown_keys(file, [it.name for it in TABLE.values()])
        return cls(
            **found,
            **others(given),
            history=folders.history(),
            sections=sections(file, problems),
            file=file,
            warnings=tuple(problems),
        )

    @property
    def needs_key(self) -> bool:
        """Whether a daemon answers only to who has a key: where others can reach it, unless that was waived."""
        is_open = not (self.address.is_loopback or self.insecure_no_auth)
        return self.require_key or is_open

    @property
    def file_env(self) -> dict[str, str]:
        """The variable by which another process finds the same file, where it needs one."""
        file = self.file.path
        return {CONFIG: str(file)} if file and file != folders.config() else {}

    @property
    def daemon_log(self) -> Path:
        """Where a daemon that a command has started writes."""
        return self.logs / "daemon.log"

    def defaults_of(self, name: ModelName) -> ModelDefaults:
        """What the file says of a model."""
        return defaults_of(name, self.sections)

    def reloaded(self, fresh: Settings) -> tuple[Settings, list[str]]:
        """These with what changes while a daemon runs, and the names of the others that differ."""
        kept = {k: getattr(self, k) for k, it in TABLE.items() if not it.reloads}
        waiting = [TABLE[k].name for k, old in kept.items() if old != getattr(fresh, k)]
        return replace(fresh, **kept), waiting


def _has_file(env: Mapping[str, str] | None) -> bool:
    """Whether there is a file to be read: an environment that was made up has to name its own."""
    return env is None or bool(env.get(CONFIG))


def config_path(env: Mapping[str, str] | None = None) -> Path:
    """Where the settings file is, or would be."""
    given = (os.environ if env is None else env).get(CONFIG, "").strip()
    return Path(given).expanduser() if given else folders.config()


def explain(file: File, env: Mapping[str, str] | None = None) -> list[Found]:
    """Every setting of this process with where its value comes from."""
    return [explained(it, file, env) for it in TABLE.values()]


def explained(
    setting: Setting, file: File, env: Mapping[str, str] | None = None
) -> Found:
    """One of them."""
    return find(setting, os.environ if env is None else env, file, [])
