"""What was measured, on what machine, and how it reads."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from ollapy import __version__

_LIBRARIES = ("llama-cpp-python", "uvicorn", "starlette", "h11", "msgspec", "numpy")
_HEADINGS = ("what", "measured", "target", "", "detail")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; where there is a target, the figure is to stay below it."""

    name: str
    value: float
    unit: str
    target: float | None = None
    detail: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the figure is below its target; None where there is none."""
        return None if self.target is None else self.value < self.target

    def cells(self) -> tuple[str, ...]:
        """The row as the table shows it."""
        target = "" if self.target is None else f"< {self.target:g} {self.unit}"
        verdict = {True: "ok", False: "MISSED", None: ""}[self.is_met]
        measured = f"{self.value:.3g} {self.unit}"
        return (self.name, measured.strip(), target.strip(), verdict, self.detail)


def machine() -> dict[str, str]:
    """Where the figures come from."""
    cores = f"{psutil.cpu_count(logical=False)} cores, {os.cpu_count()} threads"
    return {
        "cpu": f"{_cpu_model()}, {cores}",
        "memory": f"{psutil.virtual_memory().total / 1e9:.1f} GB",
        "system": platform.platform(),
        "load": " ".join(f"{load:.2f}" for load in psutil.getloadavg()),
        "python": f"{platform.python_implementation()} {sys.version.split()[0]}",
        "ollapy": __version__,
        **{name: version(name) for name in _LIBRARIES},
    }


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2] for line in lines if line.startswith("model name"))
    return next(named, "").strip() or platform.processor() or platform.machine()


def table(rows: list[Row]) -> str:
    """The rows under their headings."""
    return aligned([_HEADINGS, *(row.cells() for row in rows)])


def aligned(cells: list[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def as_json(found: dict[str, str], rows: list[Row]) -> dict[str, Any]:
    """Everything, for another program."""
    return {
        "machine": found,
        "rows": [{**asdict(row), "is_met": row.is_met} for row in rows],
    }
