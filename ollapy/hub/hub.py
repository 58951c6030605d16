"""Hub: huggingface.co or a mirror of it, as one user.

The library `huggingface-hub` lists repositories and knows the user's token; its import takes 0.2 s and 10 MB, so it
waits for the first pull that needs it. The bytes come through our own downloads, from the addresses that every
browser uses: by ranges, resumed, and checked against the sha256 of the listing. That holds for files that the hub
keeps in Xet too, as it serves these by ranges to whoever does not speak Xet. The library's own Xet client would
save bytes only between versions of one file, and it keeps a cache of its own, starts over after a crash, and cannot
be stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from ollapy import __version__
from ollapy.errors import RemoteError
from ollapy.names import ModelName
from ollapy.net.addresses import is_loopback
from ollapy.net.failures import ConnectionFailed
from ollapy.net.retry import BRIEF, Retry
from ollapy.net.urls import Url
from ollapy.operation import Operation
from ollapy.settings import Settings

from .failures import told_of
from .listing import Listing, listing

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_TIMEOUT = 10.0  # seconds without a byte


class Hub:
    """For several threads."""

    def __init__(self, settings: Settings, *, insecure: bool = False) -> None:
        self.endpoint = settings.hub_endpoint
        self._token = settings.hub_token
        self._is_offline = settings.hub_offline
        self._insecure = insecure

    def listing(self, name: ModelName, operation: Operation) -> Listing:
        """What the repository of a name holds now."""
        retry = Retry(BRIEF)
        while True:
            operation.check()
            try:
                return self._listing(f"{name.namespace}/{name.model}")
            except RemoteError as exc:
                pause = retry.after(exc)
                if pause is None:
                    raise
                operation.wait(pause)

    def url(self, found: Listing, path: str) -> str:
        """Where a file is, as it was when it was listed."""
        return (
            f"{self.endpoint}/{found.repository}/resolve/{found.commit}/{quote(path)}"
        )

    def headers(self, _challenge: str | None = None) -> Mapping[str, str]:
        """The user's token, for the endpoint and nobody else."""
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        with told_of("", self.endpoint):
            sent = build_hf_headers(token=self._token or None)
        return {k: v for k, v in sent.items() if k.lower() == "authorization"}

    def _listing(self, repository: str) -> Listing:
        host = self._checked()
        if self._is_offline:
            raise ConnectionFailed(
                f"HF_HUB_OFFLINE is set, so {host} is not asked for '{repository}'",
                passing=False,
            )
        with told_of(repository, self.endpoint):
            api = _api(self.endpoint, self._token)
            info = api.model_info(repository, files_metadata=True, timeout=_TIMEOUT)
            return listing(repository, info)

    def _checked(self) -> str:
        """The endpoint's host, to which a token may be sent."""
        url = Url.parse(self.endpoint)
        if url.scheme == "https" or self._insecure or is_loopback(url.host):
            return url.authority
        raise RemoteError(
            f"insecure protocol http, {url.authority} of HF_ENDPOINT needs --insecure"
        )


def _api(endpoint: str, token: str) -> HfApi:
    """The library, told to keep to itself what it knows about this machine."""
    from huggingface_hub import HfApi, constants

    constants.HF_HUB_DISABLE_TELEMETRY = True
    return HfApi(
        endpoint,
        token=token or None,
        library_name="ollapy",
        library_version=__version__,
    )
