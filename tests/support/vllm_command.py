"""`vllm serve`, as far as its command line goes: behind it is a real server with OpenAI's API, a daemon of this program.

Called as `python vllm_command.py FOLDER serve MODEL …`. It takes the arguments that vLLM takes and no others, its
key from the environment, and keeps what it was called with in FOLDER.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

DYING = """\
INFO 11-26 09:00:00 [utils.py:233] non-default args: {'model': 'org/dies'}
(EngineCore_DP0 pid=7) ERROR 11-26 09:00:01 [core.py:700] Traceback (most recent call last):
(EngineCore_DP0 pid=7) ERROR 11-26 09:00:01 [core.py:700] ValueError: no \x1b[31mmemory\x1b[0m, see /srv/secret/cache
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
"""


def parser() -> argparse.ArgumentParser:
    """Of the arguments that are passed on."""
    found = argparse.ArgumentParser(prog="vllm", allow_abbrev=False)
    found.add_argument("folder", type=Path)
    found.add_argument("serve", choices=["serve"])
    found.add_argument("model")
    found.add_argument("--enable-auto-tool-choice", action="store_true")
    for name in ("port", "max-model-len", "max-num-seqs"):
        found.add_argument(f"--{name}", type=int)
    for name in ("tensor", "pipeline", "data"):
        found.add_argument(f"--{name}-parallel-size", type=int)
    found.add_argument("--gpu-memory-utilization", type=float)
    found.add_argument("--distributed-executor-backend", choices=["mp", "ray"])
    for name in (
        *("host", "served-model-name", "dtype", "quantization", "kv-cache-dtype"),
        *("tool-call-parser", "reasoning-parser", "seed"),
    ):
        found.add_argument(f"--{name}")
    return found


def main() -> None:
    """Die, be silent, or become the server."""
    given = parser().parse_args()
    seen = {"pid": os.getpid(), "argv": sys.argv, **vars(given), "folder": ""}
    with (given.folder / "calls").open("a") as file:
        file.write(json.dumps(seen) + "\n")
    if given.model == "org/dies":
        sys.exit(DYING)
    print("INFO 11-26 09:00:00 [loader.py:1] Loading shards:  50%", flush=True)
    if given.model == "org/silent":
        signal.pause()
    _serve(given, Path(tempfile.mkdtemp(dir=given.folder)))


def _serve(given: argparse.Namespace, folder: Path) -> None:
    _add_model(given.model, given.served_model_name, folder / "models")
    _take_key(folder / "keys.json", os.environ["VLLM_API_KEY"])
    env = {
        "OLLAPY_HOST": f"{given.host}:{given.port}",
        "OLLAPY_MODELS": str(folder / "models"),
        "OLLAPY_CONFIG": os.devnull,
        "OLLAPY_KEYS": str(folder / "keys.json"),
        "OLLAPY_STATE": str(folder / "state"),
        "OLLAPY_KV_CACHE": "0",
        "OLLAPY_REQUIRE_KEY": "1",
        "OLLAPY_CONTEXT_LENGTH": str(given.max_model_len or 0),
    }
    command = [sys.executable, "-m", "ollapy", "serve"]
    if given.model == "org/lingers":  # as one whose engine has died may
        subprocess.Popen(command, env={**os.environ, **env})
        signal.pause()
    os.execve(sys.executable, command, {**os.environ, **env})


def _add_model(source: str, name: str, models: Path) -> None:
    """Store what stands for the source."""
    from ollapy.store import builtin
    from scripts.make_gguf import write_embedder, write_scripted
    from tests.support.models import add_endless, add_model

    weights = models.parent / "model.gguf"
    match source:
        case "org/endless":
            add_endless(models, name)
            return
        case "org/thinker":
            write_scripted(weights, "Because.", thinking="Why would that be?")
        case "org/vectors":
            write_embedder(weights)
        case _:
            weights = builtin.WEIGHTS
    add_model(models, name, weights)


def _take_key(path: Path, secret: str) -> None:
    """Have the ring know a secret that is not its own."""
    from ollapy.keys import KeyRing, Scope

    KeyRing(path).create("vllm", Scope.MANAGE)
    (key,) = json.loads(path.read_text())
    key["sha256"] = hashlib.sha256(secret.encode()).hexdigest()
    path.write_text(json.dumps([key]))


if __name__ == "__main__":
    main()
