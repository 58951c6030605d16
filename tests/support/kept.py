"""What a daemon keeps of prompts on the disk, as a test looks at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.daemon import Daemon
from tests.support.waiting import eventually

PROMPT = (
    "It was a bright cold day in April, and the clocks were striking thirteen. " * 48
)


def ask(daemon: Daemon, prompt: str = PROMPT, **body: Any) -> dict[str, Any]:
    """A short answer to a long prompt."""
    options = {"temperature": 0, "num_predict": 12, **body.pop("options", {})}
    return daemon.generate(prompt, raw=True, options=options, **body)


def context(answer: dict[str, Any]) -> dict[str, Any]:
    """What became of an answer's prompt."""
    found: dict[str, Any] = answer["ollapy"]["context"]
    return found


def restored(answer: dict[str, Any]) -> int:
    """How many tokens came back from the disk for it."""
    return int(context(answer).get("restored_tokens", 0))


def stop(daemon: Daemon, model: str = "tiny") -> None:
    """Unload a model, and wait until what it computed is kept."""
    daemon.post("/api/generate", model=model, keep_alive=0)
    eventually(lambda: not daemon.runners, "the runner stays")


def files(folder: Path, pattern: str = "*.kv") -> list[Path]:
    """What is kept in a daemon's folder."""
    return sorted((folder / "kv").glob(f"*/{pattern}"))
