"""Settings: the whole configuration of a daemon or a client, and the table that it is read by."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Self

from ollapy.names import ModelName
from ollapy.settings import folders
from ollapy.settings.address import Address
from ollapy.settings.file import File
from ollapy.settings.found import Found, find
from ollapy.settings.kinds import (
    ADDRESS,
    COUNT,
    DURATION,
    ENDPOINTS,
    FLAG,
    INTERVAL,
    NAMES,
    NUMBER,
    PATH,
    SIZE,
    TEXT,
    URL,
    one_of,
)
from ollapy.settings.models import ModelDefaults, Sections, defaults_of, sections
from ollapy.settings.others import others
from ollapy.settings.setting import Setting, setting
from ollapy.settings.strangers import unknown_keys

_HOST = "where the daemon listens and clients connect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A field made by `setting` is one; the others follow from what other programs' variables say."""

    address: Address = setting("host", ADDRESS, _HOST, default="127.0.0.1:11434")
    models: Path = setting(
        "models_dir",
        PATH,
        "folder of the models",
        default=folders.models,
        env="MODELS",
    )
    logs: Path = setting(
        "logs_dir",
        PATH,
        "folder of the log of a daemon in the background",
        default=folders.logs,
        env="LOGS",
    )
    state: Path = setting(
        "state_dir",
        PATH,
        "folder of what a daemon remembers of the machine",
        default=folders.state,
        env="STATE",
    )
    keep_alive: float = setting(
        "keep_alive",
        DURATION,
        "how long an unused model stays loaded; negative is forever",
        default="5m",
        reloads=True,
    )
    context_length: int = setting(
        "context_length",
        NUMBER,
        "context that a model is loaded with; 0 is what it was trained for, as far as memory goes",
        reloads=True,
    )
    max_memory: int = setting(
        "max_memory",
        SIZE,
        "memory that all models together may take; else what is free",
        reloads=True,
    )
    max_loaded: int = setting(
        "max_loaded_models",
        NUMBER,
        "models that may be loaded at a time; 0 is any number that fits",
        reloads=True,
    )
    num_threads: int = setting(
        "num_threads",
        NUMBER,
        "threads for computing at most; 0 is one for each physical core",
        reloads=True,
    )
    devices: tuple[str, ...] = setting(
        "device", NAMES, "accelerators that may be used, or cpu; else all"
    )
    gpu_overhead: int = setting(
        "gpu_overhead",
        SIZE,
        "memory of each accelerator that models leave to others",
        reloads=True,
    )
    workers: tuple[str, ...] = setting(
        "rpc", ENDPOINTS, "other machines' RPC workers that take part of a model"
    )
    kv_type: str = setting(
        "kv_cache_type",
        one_of("f16", "q8_0", "q4_0"),
        "how the context is kept in memory: f16, q8_0 or q4_0",
    )
    max_queue: int = setting(
        "max_queue",
        COUNT,
        "requests that may wait, 503 beyond",
        default="512",
        reloads=True,
    )
    load_timeout: float = setting(
        "load_timeout",
        DURATION,
        "how long a load may stand still",
        default="5m",
        reloads=True,
    )
    heartbeat: float = setting(
        "heartbeat",
        INTERVAL,
        "how often a stream that waits says so; 0 is never",
        default="15s",
        reloads=True,
    )
    prune: bool = setting(
        "prune",
        FLAG,
        "whether the daemon deletes at its start what no model needs",
        default="true",
        env="NOPRUNE",
        negates=True,
    )
    vllm_url: str = setting(
        "vllm_url", URL, "another server whose models appear beside the local ones"
    )
    vllm_api_key: str = setting(
        "vllm_api_key", TEXT, "the key that it wants", is_secret=True
    )
    origins: tuple[str, ...] = setting("origins", NAMES, "web pages that may ask")
    allowed_hosts: tuple[str, ...] = setting(
        "allowed_hosts", NAMES, "further names of this machine"
    )
    require_key: bool = setting(
        "require_key", FLAG, "ask for an API key also on loopback", default="false"
    )
    insecure_no_auth: bool = setting(
        "insecure_no_auth",
        FLAG,
        "ask nobody for a key, not even where others can connect",
        default="false",
    )
    keys: Path = setting(
        "keys_file",
        PATH,
        "where the API keys are kept",
        default=folders.keys,
        env="KEYS",
    )
    max_connections: int = setting(
        "max_connections",
        COUNT,
        "connections at a time",
        default="1024",
        reloads=True,
    )
    header_timeout: float = setting(
        "header_timeout",
        DURATION,
        "how long a client may take to say what it asks",
        default="10s",
        reloads=True,
    )
    body_timeout: float = setting(
        "body_timeout",
        DURATION,
        "how long a body may stand still",
        default="30s",
        reloads=True,
    )
    reader_timeout: float = setting(
        "reader_timeout",
        DURATION,
        "how long a client may read nothing of its answer",
        default="2m",
        reloads=True,
    )
    num_kept_requests: int = setting(
        "kept_requests",
        NUMBER,
        "requests that `ollapy why` and the API remember",
        default="256",
    )
    keeps_requests: bool = setting(
        "keep_request_texts",
        FLAG,
        "whether they are remembered with what was asked",
        default="false",
    )
    debug: bool = setting(
        "debug", FLAG, "show the traceback of a bug, and log more", default="false"
    )
    api_key: str = setting(
        "api_key",
        TEXT,
        "the key that the command line sends",
        reloads=True,
        is_secret=True,
    )
    editor: str = setting(
        "editor",
        TEXT,
        "what Ctrl-G in a chat and `ollapy config edit` open",
        reloads=True,
    )
    keep_history: bool = setting(
        "history",
        FLAG,
        "whether a chat's inputs are kept for the arrow keys",
        default="true",
        env="NOHISTORY",
        reloads=True,
        negates=True,
    )
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


CONFIG = "OLLAPY_CONFIG"
TABLE: Mapping[str, Setting] = {
    it.name: it.metadata["setting"] for it in fields(Settings) if it.metadata
}


def config_path(env: Mapping[str, str] | None = None) -> Path:
    """Where the settings file is, or would be."""
    given = (os.environ if env is None else env).get(CONFIG, "").strip()
    return Path(given).expanduser() if given else folders.config()


def explain(file: File, env: Mapping[str, str] | None = None) -> list[Found]:
    """Every setting of this process with where its value comes from."""
    given = os.environ if env is None else env
    return [find(it, given, file, []) for it in TABLE.values()]
