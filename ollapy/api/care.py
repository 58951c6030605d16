"""Wire types of ollapy's own routes for the care of the store: prune, verify, du."""

from __future__ import annotations

import msgspec

from .ollama import Progress, Request


class PruneRequest(Request, frozen=True, omit_defaults=True):
    """`POST /api/prune`. `all` takes what is recent too, `dry_run` only says what would go.

    With `kv_cache` what was computed of prompts goes, and nothing else.
    """

    all: bool | None = None
    kv_cache: bool | None = None
    dry_run: bool | None = None


class Unneeded(msgspec.Struct, frozen=True):
    """A thing that nobody needs: a blob, reference, download, damaged blob or leftover, or a computed prompt.

    `size` is what it frees.
    """

    kind: str
    name: str
    size: int


class PruneResponse(msgspec.Struct, frozen=True):
    """What has gone, and the bytes that are free now."""

    removed: list[Unneeded]
    size: int


class VerifyRequest(Request, frozen=True, omit_defaults=True):
    """`POST /api/verify`: these models, or without any the whole store; `repair` pulls the damaged ones again."""

    model: str | None = None
    models: list[str] | None = None
    repair: bool | None = None
    insecure: bool | None = None
    stream: bool | None = None

    @property
    def given(self) -> list[str]:
        """The names under either spelling."""
        return [*(self.models or []), *([self.model] if self.model else [])]


class Damaged(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong, in a sentence; `repaired` once a pull has brought it again."""

    problem: str
    models: list[str] = []
    digest: str = ""
    repaired: bool = False


class VerifyProgress(Progress, frozen=True, omit_defaults=True):
    """One record of verify. The last one's status is `success`, or `damaged` where something still is."""

    damaged: list[Damaged] = msgspec.field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether it is the last one."""
        return self.status in ("success", "damaged")


class ModelUsage(msgspec.Struct, frozen=True):
    """A model's bytes: `own` are free once it is removed, `shared` ones other models need too.

    `elsewhere` are in the user's own files, and take nothing in the store.
    """

    name: str
    size: int
    own: int
    shared: int
    elsewhere: int
    shared_with: list[str]


class UsageResponse(msgspec.Struct, frozen=True):
    """`GET /api/du`: bytes on the disk; what no model needs, downloads that are not whole, and leftovers.

    `kv_cache` is what was computed of prompts, which is not among the models' `total`.
    """

    models: list[ModelUsage]
    total: int
    unneeded: int
    downloads: int
    leftovers: int
    kv_cache: int = 0
