"""Result: what a benchmark found, as it is printed as JSON and read again to compare with."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ollapy.decoding import from_json
from ollapy.errors import OllapyError


class Depth(msgspec.Struct, frozen=True):
    """Tokens a second, behind so many tokens that are in the context already.

    `share` is the part of the memory's bandwidth that generating takes; None where it is not known.
    """

    depth: int
    read: float
    generated: float
    share: float | None = None


class Streams(msgspec.Struct, frozen=True):
    """Tokens a second of so many answers at once, all together and each."""

    count: int
    together: float
    each: float


class Result(msgspec.Struct, frozen=True):
    """Of one model on one machine. Sizes in bytes, durations in seconds, the bandwidth in bytes a second.

    `weights` are the bytes of weights that a token reads, `kv_per_token` those of the context for each token
    that is in it.
    """

    version: str
    model: str
    digest: str
    machine: str
    context: int
    load_seconds: float
    size: int
    size_vram: int
    weights: int = 0
    kv_per_token: int = 0
    bandwidth: float = 0.0
    depths: list[Depth] = []
    streams: list[Streams] = []


def read(file: Path) -> Result:
    """What an earlier benchmark has written; OllapyError where that is not one."""
    try:
        return from_json(file.read_bytes(), Result)
    except OSError as exc:
        raise OllapyError(f"could not read {file}: {exc.strerror}") from exc
    except msgspec.DecodeError as exc:
        raise OllapyError(
            f"{file} is no result of a benchmark, `ollapy bench --json` writes one: {exc}"
        ) from exc
