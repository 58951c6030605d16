"""Settings: what the environment says, read once. The only reader of os.environ.

`OLLAPY_X` wins over `OLLAMA_X`. Values lose surrounding blanks and quotes; a value that cannot be
read falls back to its default and is named in `warnings`, which the daemon logs and the command line says.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlsplit

from ollapy.errors import InvalidRequest
from ollapy.units import parse_bytes, parse_duration

DEFAULT_PORT = 11434
_ADDRESS = re.compile(
    r"(?:(https?)://)?(\[[0-9a-fA-F:]*\]|[A-Za-z0-9_.-]*)(?::([0-9]{1,5}))?/?"
)
_ENDPOINT = re.compile(r"(?:\[[0-9a-f:]+\]|[a-z0-9_.-]+):([0-9]{1,5})")
_FALSE = {"0", "f", "false"}
T = TypeVar("T")

# What a runner inherits: what its libraries need to find devices and threads, and no secrets.
_RUNNER_VARIABLES = re.compile(
    r"PATH|LANG|LC_[A-Z]+|HOME|TMPDIR|TEMP|TMP|SYSTEMROOT|VIRTUAL_ENV|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH"
    r"|OMP_[A-Z_]+|GOMP_[A-Z_]+|KMP_[A-Z_]+|GGML_[A-Z_]+|CUDA_[A-Z_]+|NVIDIA_[A-Z_]+|HIP_[A-Z_]+|ROCR_[A-Z_]+"
    r"|HSA_[A-Z_]+|GPU_DEVICE_ORDINAL|VK_[A-Z_]+|LLAMA_CPP_LIB_PATH"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the daemon listens and its clients connect."""

    host: str
    port: int
    scheme: str = "http"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`host`, `:port`, `host:port`, `[v6]:port` or such a URL; ValueError for anything else."""
        match = _ADDRESS.fullmatch(text)
        port = int(match[3] or 0) if match else -1
        if match is None or not 0 <= port <= 65535:
            raise ValueError(text)
        scheme = match[1] or ""
        default = {"http": 80, "https": 443}.get(scheme, DEFAULT_PORT)
        port = port if match[3] else default
        return cls(
            match[2].strip("[]") or ("0.0.0.0" if match[3] else "127.0.0.1"),
            port,
            scheme or "http",
        )

    @property
    def target(self) -> str:
        """The host to connect to; a wildcard bind is reached over loopback."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)

    @property
    def url(self) -> str:
        """The base URL a client uses."""
        host = f"[{self.target}]" if ":" in self.target else self.target
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether a daemon started on this machine would answer there."""
        return self.scheme == "http" and self.host in (
            "localhost",
            "127.0.0.1",
            "::1",
            "0.0.0.0",
            "::",
        )

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can connect there."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


class _Environment:
    """Typed reads that remember what they could not understand."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.warnings: list[str] = []

    def text(self, name: str) -> str:
        for variable in (f"OLLAPY_{name}", f"OLLAMA_{name}"):
            if value := self._env.get(variable, "").strip().strip("\"'").strip():
                return value
        return ""

    def flag(self, name: str) -> bool:
        """As Go reads booleans, and any other text is true."""
        value = self.text(name).lower()
        return bool(value) and value not in _FALSE

    def number(self, name: str, default: int, *, least: int = 0) -> int:
        text = self.text(name)
        if not text:
            return default
        if re.fullmatch(r"[0-9]{1,12}", text) and int(text) >= least:
            return int(text)
        return self._warn(name, text, default)

    def duration(self, name: str, default: float) -> float:
        text = self.text(name)
        if not text:
            return default
        try:
            return parse_duration(text if re.search(r"[a-zµμ]$", text) else f"{text}s")
        except InvalidRequest:
            return self._warn(name, text, default)

    def names(self, name: str) -> tuple[str, ...]:
        """What stands between commas."""
        found = (part.strip().lower() for part in self.text(name).split(","))
        return tuple(filter(None, found))

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        """One of the known words; empty where nothing is said."""
        text = self.text(name).lower()
        return text if not text or text in known else self._warn(name, text, "")

    def endpoints(self, name: str) -> tuple[str, ...]:
        """The `host:port` between commas that are some; the others are named in `warnings`."""
        usable: list[str] = []
        other: list[str] = []
        for text in dict.fromkeys(self.names(name)):
            found = _ENDPOINT.fullmatch(text)
            is_usable = found is not None and 0 < int(found[1]) < 65536
            (usable if is_usable else other).append(text)
        for text in other:
            self._warn(name, text, "")
        return tuple(usable)

    def size(self, name: str) -> int:
        """Bytes; 0 where nothing is said."""
        text = self.text(name)
        try:
            return parse_bytes(text) if text else 0
        except InvalidRequest:
            return self._warn(name, text, 0)

    def url(self, name: str) -> str:
        """An http or https URL without credentials; empty where nothing is said."""
        text = self.text(name)
        if not text or _is_url(text):
            return text
        return self._warn(name, text.rpartition("@")[2], "")  # not what may be secret

    def address(self, name: str) -> Address:
        text = self.text(name)
        try:
            return Address.parse(text)
        except ValueError:
            return self._warn(name, text, Address("127.0.0.1", DEFAULT_PORT))

    def _warn(self, name: str, text: str, default: T) -> T:
        ours = self._env.get(f"OLLAPY_{name}")
        variable = f"OLLAPY_{name}" if ours else f"OLLAMA_{name}"
        told = f"{default:g}s" if isinstance(default, float) else default
        told = "the default" if told == 0 else told or "none"
        self.warnings.append(f"{variable}={text!r} is not usable, using {told}")
        return default


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    plain = "@" not in parts.netloc and not parts.query and not parts.fragment
    return parts.scheme in ("http", "https") and bool(host) and plain


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration of a daemon or a client."""

    address: Address
    models: Path
    logs: Path
    state: Path
    history: Path
    keep_history: bool
    editor: str
    keep_alive: float
    load_timeout: float
    heartbeat: float
    max_queue: int
    max_loaded: int
    max_memory: int
    devices: tuple[str, ...]
    workers: tuple[str, ...]
    kv_type: str
    context_length: int
    num_threads: int
    debug: bool
    prune: bool
    keys: Path
    needs_key: bool
    origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    max_connections: int
    header_timeout: float
    body_timeout: float
    reader_timeout: float
    num_kept_requests: int
    keeps_requests: bool
    key: Path
    docker_config: Path
    hub_cache: Path
    hub_endpoint: str
    hub_offline: bool
    ollama_models: tuple[Path, ...]
    lm_studio_models: tuple[Path, ...]
    runner_env: Mapping[str, str]
    vllm_url: str
    hub_token: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    vllm_api_key: str = field(default="", repr=False)
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """The settings of this process, or of the environment given."""
        given = os.environ if env is None else env
        read = _Environment(given)
        # platformdirs is imported here: `ollapy --help` needs no folder
        import platformdirs

        address = read.address("HOST")
        models = read.text("MODELS") or platformdirs.user_data_path("ollapy") / "models"
        return cls(
            address=address,
            models=Path(models).expanduser(),
            logs=Path(
                read.text("LOGS") or platformdirs.user_log_path("ollapy")
            ).expanduser(),
            state=Path(
                read.text("STATE") or platformdirs.user_state_path("ollapy")
            ).expanduser(),
            history=platformdirs.user_state_path("ollapy") / "history",
            keep_history=not read.flag("NOHISTORY"),
            editor=read.text("EDITOR"),
            keep_alive=read.duration("KEEP_ALIVE", 300.0),
            load_timeout=read.duration("LOAD_TIMEOUT", 300.0),
            heartbeat=read.duration("HEARTBEAT", 15.0) or math.inf,
            max_queue=read.number("MAX_QUEUE", 512, least=1),
            max_loaded=read.number("MAX_LOADED_MODELS", 0),
            max_memory=read.size("MAX_MEMORY"),
            devices=read.names("DEVICE"),
            workers=read.endpoints("RPC"),
            kv_type=read.choice("KV_CACHE_TYPE", ("f16", "q8_0", "q4_0")),
            context_length=read.number("CONTEXT_LENGTH", 0),
            num_threads=read.number("NUM_THREADS", 0),
            debug=read.flag("DEBUG"),
            prune=not read.flag("NOPRUNE"),
            keys=Path(
                read.text("KEYS")
                or platformdirs.user_config_path("ollapy") / "keys.json"
            ).expanduser(),
            needs_key=_needs_key(read, address),
            origins=read.names("ORIGINS"),
            allowed_hosts=read.names("ALLOWED_HOSTS"),
            max_connections=read.number("MAX_CONNECTIONS", 1024, least=1),
            header_timeout=read.duration("HEADER_TIMEOUT", 10.0),
            body_timeout=read.duration("BODY_TIMEOUT", 30.0),
            reader_timeout=read.duration("READER_TIMEOUT", 120.0),
            num_kept_requests=read.number("KEPT_REQUESTS", 256),
            keeps_requests=read.flag("KEEP_REQUEST_TEXTS"),
            key=_key(given),
            docker_config=_docker_config(given),
            hub_cache=_hub_cache(given),
            hub_endpoint=_hub_endpoint(given),
            hub_offline=_is_offline(given),
            hub_token=_hub_token(given),
            api_key=given.get("OLLAPY_API_KEY", "").strip(),
            ollama_models=_ollama_models(given),
            lm_studio_models=_lm_studio_models(given),
            runner_env=_runner_env(given),
            vllm_url=read.url("VLLM_URL"),
            vllm_api_key=given.get("OLLAPY_VLLM_API_KEY", "").strip(),
            warnings=tuple(read.warnings),
        )


def _needs_key(read: _Environment, address: Address) -> bool:
    """Whether a daemon with these settings answers only to who has a key: where others can reach it."""
    return read.flag("REQUIRE_KEY") or not (
        address.is_loopback or read.flag("INSECURE_NO_AUTH")
    )


def _home(env: Mapping[str, str]) -> Path:
    return Path(env["HOME"]) if env.get("HOME") else Path.home()


def _key(env: Mapping[str, str]) -> Path:
    """The ed25519 key that registries know this user by: Ollama's, so that one registration serves both."""
    return _home(env) / ".ollama" / "id_ed25519"


def _docker_config(env: Mapping[str, str]) -> Path:
    """Where Docker and its relatives keep the credentials of registries."""
    folder = env.get("DOCKER_CONFIG") or _home(env) / ".docker"
    return Path(folder).expanduser() / "config.json"


def _hub_cache(env: Mapping[str, str]) -> Path:
    """Where huggingface-hub keeps what it has downloaded."""
    if given := env.get("HF_HUB_CACHE") or env.get("HUGGINGFACE_HUB_CACHE"):
        return Path(given).expanduser()
    cache = Path(env.get("XDG_CACHE_HOME") or _home(env) / ".cache")
    return Path(env.get("HF_HOME") or cache / "huggingface").expanduser() / "hub"


def _hub_endpoint(env: Mapping[str, str]) -> str:
    """Hugging Face, or the mirror of it that is asked in its place."""
    given = env.get("HF_ENDPOINT", "").strip().rstrip("/")
    return given or "https://huggingface.co"


def _hub_token(env: Mapping[str, str]) -> str:
    """The token of Hugging Face that is given for this process; huggingface-hub knows of stored ones."""
    return (env.get("HF_TOKEN") or env.get("HUGGING_FACE_HUB_TOKEN") or "").strip()


def _is_offline(env: Mapping[str, str]) -> bool:
    """Whether nothing is to be asked of Hugging Face, as its own programs read it."""
    given = env.get("HF_HUB_OFFLINE") or env.get("TRANSFORMERS_OFFLINE") or ""
    return given.upper() in ("1", "ON", "YES", "TRUE")


def _ollama_models(env: Mapping[str, str]) -> tuple[Path, ...]:
    """Where Ollama keeps models: the user's own, and the Linux service's."""
    own = Path(env.get("OLLAMA_MODELS") or _home(env) / ".ollama" / "models")
    return own.expanduser(), Path("/usr/share/ollama/.ollama/models")


def _lm_studio_models(env: Mapping[str, str]) -> tuple[Path, ...]:
    """Where LM Studio keeps models, now and in older releases."""
    home = _home(env)
    return home / ".lmstudio" / "models", home / ".cache" / "lm-studio" / "models"


def has_colours() -> bool:
    """Whether the person wants colours (https://no-color.org) and the terminal knows escapes."""
    return not os.environ.get("NO_COLOR") and has_escapes()


def has_escapes() -> bool:
    """Whether the terminal, where there is one, can move its cursor."""
    return os.environ.get("TERM") != "dumb"


def _runner_env(env: Mapping[str, str]) -> dict[str, str]:
    """The allow-listed environment of a runner process.

    GGML_NO_BACKTRACE: an abort would otherwise fork a debugger over the user's data.
    """
    inherited = {k: v for k, v in env.items() if _RUNNER_VARIABLES.fullmatch(k)}
    return {"GGML_NO_BACKTRACE": "1", **inherited}
