"""Models whose every word is known, so that a test can compare whole answers."""

from __future__ import annotations

from pathlib import Path

from scripts.make_gguf import write_scripted
from tests.support.daemon import Daemon
from tests.support.models import add_endless, add_model

WILD = "plain \x1b[31mred\x1b[0m \x07bell \u202eright to left\n\ttab \U0001f600"
WILD_ON_A_TERMINAL = (
    "plain \\x1b[31mred\\x1b[0m \\x07bell \\u202eright to left\n\ttab \U0001f600"
)


def add_cast(models: Path) -> None:
    """Store them.

    `endless` never stops and `brief` is cut off after its first words, `thinker` thinks first, `wild` does all
    it can to a terminal, as does the system text of `rude`, and `forgetful` has room for two short messages.
    """
    add_endless(models)
    add_model(
        models, "brief", models.parent / "endless.gguf", params=b'{"num_predict":3}'
    )
    add_model(models, "rude", models.parent / "endless.gguf", system=b"Be \x1b[2Jrude.")
    _add(models, "thinker", "Because.", thinking="Why would \x1b[5mthat be?")
    _add(models, "wild", WILD)
    _add(models, "forgetful", "Yes.", context_length=64)


def _add(
    models: Path,
    name: str,
    text: str,
    *,
    thinking: str = "",
    context_length: int = 4096,
) -> None:
    weights = models.parent / f"{name}.gguf"
    write_scripted(weights, text, thinking=thinking, context_length=context_length)
    add_model(models, name, weights)


def has_stopped(daemon: Daemon) -> bool:
    """Whether no model samples anything between two looks at them."""
    before = _num_rows(daemon)
    daemon.http.get("/api/version")
    return _num_rows(daemon) == before


def _num_rows(daemon: Daemon) -> float:
    """Of all models: names with the same weights share a runner, under the one that came first."""
    stats = daemon.http.get("/api/stats").json()
    return float(sum(counters["rows"] for counters in stats.values()))
