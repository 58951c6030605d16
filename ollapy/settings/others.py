"""What other programs' variables say: Hugging Face's, Docker's, Ollama's, and those that a runner inherits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What a runner inherits: what its libraries need to find devices and threads, and no secrets.
_RUNNER_VARIABLES = re.compile(
    r"PATH|LANG|LC_[A-Z]+|HOME|TMPDIR|TEMP|TMP|SYSTEMROOT|VIRTUAL_ENV|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH"
    r"|OMP_[A-Z_]+|GOMP_[A-Z_]+|KMP_[A-Z_]+|GGML_[A-Z_]+|CUDA_[A-Z_]+|NVIDIA_[A-Z_]+|HIP_[A-Z_]+|ROCR_[A-Z_]+"
    r"|HSA_[A-Z_]+|GPU_DEVICE_ORDINAL|VK_[A-Z_]+|LLAMA_CPP_LIB_PATH"
)

# What a vLLM needs beside that: its own settings, its libraries', those of a cluster, and the way to Hugging Face.
_VLLM_VARIABLES = re.compile(
    r"(?:VLLM|HF|HUGGING_FACE|HUGGINGFACE|TRANSFORMERS|RAY|NCCL|RCCL|GLOO|UCX|TORCH|TORCHINDUCTOR|PYTORCH|TRITON"
    r"|FLASHINFER|MIOPEN|AMDGPU|XDG|SSL_CERT)_[A-Z0-9_]+"
    r"|USER|LOGNAME|SHELL|CC|CXX|REQUESTS_CA_BUNDLE|(?:HTTPS?|NO|ALL)_PROXY|(?:https?|no|all)_proxy"
)


def others(env: Mapping[str, str]) -> dict[str, Any]:
    """The fields of Settings that follow from them."""
    return {
        "key": _key(env),
        "docker_config": _docker_config(env),
        "hub_cache": _hub_cache(env),
        "hub_endpoint": _hub_endpoint(env),
        "hub_offline": _is_offline(env),
        "hub_token": _hub_token(env),
        "ollama_models": _ollama_models(env),
        "lm_studio_models": _lm_studio_models(env),
        "runner_env": _runner_env(env),
        "vllm_env": _vllm_env(env),
    }


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


def _runner_env(env: Mapping[str, str]) -> dict[str, str]:
    """The allow-listed environment of a runner process.

    GGML_NO_BACKTRACE: an abort would otherwise fork a debugger over the user's data.
    """
    inherited = {k: v for k, v in env.items() if _RUNNER_VARIABLES.fullmatch(k)}
    return {"GGML_NO_BACKTRACE": "1", **inherited}


def _vllm_env(env: Mapping[str, str]) -> dict[str, str]:
    """The allow-listed environment of a vLLM and of the runner that starts it; it reports to nobody unless it is to."""
    found = {k: v for k, v in env.items() if _VLLM_VARIABLES.fullmatch(k)}
    return {**_runner_env(env), "VLLM_NO_USAGE_STATS": "1", **found}
