"""Table: what people may set. The file, `ollapy config`, the documentation and Settings derive from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from ollapy.settings import folders
from ollapy.settings.address import Address
from ollapy.settings.kinds import (
    ADDRESS,
    COMMAND,
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
from ollapy.settings.setting import Setting, setting

_HOST = "where the daemon listens and clients connect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A setting each, by the name that the code has for it."""

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
    num_parallel: int = setting(
        "num_parallel",
        NUMBER,
        "answers of a model that are computed together at most; 0 is as many as there is memory for",
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
    kv_cache_size: int = setting(
        "kv_cache",
        SIZE,
        "disk for what was computed of prompts, for the next time that a model is loaded; 0 keeps nothing",
        default="8GB",
    )
    kv_cache: Path = setting(
        "kv_cache_dir", PATH, "folder of that", default=folders.kv_cache
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
    vllm_command: tuple[str, ...] = setting(
        "vllm_command",
        COMMAND,
        "how vLLM's program is called, for models that run in it",
        default="vllm",
        reloads=True,
    )
    vllm_args: tuple[str, ...] = setting(
        "vllm_args",
        COMMAND,
        "further arguments of `vllm serve`",
        reloads=True,
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


TABLE: Mapping[str, Setting] = {it.name: it.metadata["setting"] for it in fields(Table)}
