"""Plan: how a pull comes by what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ollapy.names import Digest, ModelName


def _no_headers(_challenge: str | None) -> Mapping[str, str]:
    return {}


# Given the file of a large download once its beginning is there; may refuse the rest with InvalidModel.
Inspect = Callable[[Path], None]


@dataclass(frozen=True)
class Source:
    """Where a blob can be had.

    `headers` gives the headers for the URL's own host, never for one it redirects to. It is called with
    None at first, and with the WWW-Authenticate header of a 401 to answer it; slow, in any thread.
    `denied` is what the user reads when the host does not want to give it.
    """

    url: str
    headers: Callable[[str | None], Mapping[str, str]] = field(
        default=_no_headers, repr=False
    )
    denied: str = "unauthorized: access denied"


@dataclass(frozen=True)
class Plan:
    """A manifest's bytes, and how each of its blobs is come by.

    `sources` by digest of what is to be downloaded, `contents` of what was made here and is small. A blob
    in neither is here already, in the store or another program's. `origin` is where on the hub the files are from.
    """

    manifest: bytes
    sources: Mapping[Digest, Source] = field(default_factory=dict)
    contents: Mapping[Digest, bytes] = field(default_factory=dict)
    origin: ModelName | None = None
