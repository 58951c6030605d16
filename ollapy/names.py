"""ModelName and Digest: an instance is proof that the text was valid.

Grammar: `[scheme://][host/][namespace/]model[:tag]`. Each part starts with an ASCII letter, digit or
underscore and goes on with those, `-`, and (all but the namespace) `.`; a host may also hold `:`.
No part can be `..`, empty or absolute, so a name joined under a folder stays inside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

from ollapy.errors import InvalidName, InvalidRequest

HOST, NAMESPACE, TAG = "registry.ollama.ai", "library", "latest"
BUILT_IN = "tiny"  # the model that ships inside the package
HUB_HOSTS = ("hf.co", "huggingface.co")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
# Pages of models, as a browser shows their addresses.
_PAGE = re.compile(
    r"(?:https?://)?(?:www\.)?(?:ollama\.com/(?P<ollama>[^/?#]+/[^/?#]+)(?:/tags)?"
    r"|(?P<hub>huggingface\.co/[^/?#]+/[^/?#]+)(?:/tree/[^/?#]+)?)/?(?:[?#].*)?"
)
_DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class ModelName:
    """A fully qualified model name."""

    host: str
    namespace: str
    model: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The name that `text` means once defaults are filled in; InvalidName otherwise.

        The address of a model's page at ollama.com or huggingface.co is its name.
        """
        if page := _PAGE.fullmatch(text):
            text = page["ollama"] or page["hub"]
        path, colon, tag = text.rpartition(":")
        # that colon, if any, belongs to scheme or host:port
        if not colon or "/" in tag:
            path, tag = text, TAG
        parts = path.removeprefix("https://").removeprefix("http://").split("/")
        host, namespace, model = [HOST, NAMESPACE][: max(3 - len(parts), 0)] + parts[
            -3:
        ]
        valid = (
            len(parts) <= 3
            and _HOST.fullmatch(host)
            and _NAMESPACE.fullmatch(namespace)
        )
        if not (valid and _PART.fullmatch(model) and _PART.fullmatch(tag)):
            form = "; Hugging Face's are hf.co/user/repository or hf.co/user/repository:tag"
            is_on_hub = parts[0].lower() in HUB_HOSTS
            raise InvalidName(f"invalid model name{form if is_on_hub else ''}")
        return cls(host, namespace, model, tag)

    @property
    def path(self) -> PurePosixPath:
        """Where a store keeps this name's manifest, relative to its manifests folder."""
        return PurePosixPath(self.host, self.namespace, self.model, self.tag)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Names are compared without case; the stored spelling wins."""
        return (
            self.host.lower(),
            self.namespace.lower(),
            self.model.lower(),
            self.tag.lower(),
        )

    @property
    def is_on_hub(self) -> bool:
        """Whether it is a repository of Hugging Face's."""
        return self.host.lower() in HUB_HOSTS

    @property
    def full(self) -> str:
        """`host/namespace/model:tag`, nothing left out."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    def __str__(self) -> str:
        """The short form that Ollama displays: defaults left out, the tag always there."""
        if self.host != HOST:
            return self.full
        if self.namespace != NAMESPACE:
            return f"{self.namespace}/{self.model}:{self.tag}"
        return f"{self.model}:{self.tag}"


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The sha256 of some bytes, as 64 lower-case hex digits."""

    hex: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `sha256:<hex>` or `sha256-<hex>`, any case."""
        match = _DIGEST.fullmatch(text)
        if match is None:
            raise InvalidRequest("invalid digest format")
        return cls(match[1].lower())

    @property
    def filename(self) -> str:
        """The blob's file name; the only way from outside text to a path."""
        return f"sha256-{self.hex}"

    def __str__(self) -> str:
        return f"sha256:{self.hex}"
