"""The exception tree: `str(error)` is the sentence that a user reads.

    OllapyError                      500
    ├─ InvalidRequest                400
    │  ├─ InvalidName
    │  ├─ OutOfRange
    │  ├─ PromptTooLong
    │  └─ Unsupported                    the model or this build cannot do it
    │     └─ InvalidModel                the file is not one llama.cpp can load
    ├─ NotFound                      404
    │  └─ ModelNotFound
    ├─ Busy                          503
    ├─ StoreError                    500
    │  ├─ DigestMismatch
    │  └─ CorruptManifest
    ├─ RemoteError                   500    a registry, a hub, or the way there
    │  ├─ NotOnRemote
    │  └─ Unauthorized
    ├─ Cancelled                     499    nobody waits for the result any more
    ├─ RunnerError                   500
    │  ├─ InvalidNumbers
    │  ├─ LoadFailed
    │  └─ RunnerStopped
    ├─ EngineMissing                 500
    └─ DaemonUnreachable             the command line's: nobody answers

A class exists because a caller, the wire or a test tells it apart. `status` is the HTTP layer's hint; nothing
below the daemon reads it. Between runner and daemon an error travels as class name and sentence.
"""

from __future__ import annotations

from typing import ClassVar


class OllapyError(Exception):
    """Every failure that has a sentence for the user."""

    status: ClassVar[int] = 500


class InvalidRequest(OllapyError):
    """The request cannot be right for any model."""

    status = 400


class InvalidName(InvalidRequest):
    """Not a model name; says so in the words of the route that got it."""


class OutOfRange(InvalidRequest):
    """A number that its field does not take."""

    def __init__(self, field: str, low: float, high: float) -> None:
        super().__init__(f"{field} must be between {low} and {high}")
        self.field = field


class PromptTooLong(InvalidRequest):
    """More prompt tokens than the context holds, and nothing may be dropped."""


class Unsupported(InvalidRequest):
    """Right for some model, not for this one."""


class InvalidModel(Unsupported):
    """A file that is not a model, or that llama.cpp would refuse or abort on."""


class NotFound(OllapyError):
    """Named, well-formed, and not here."""

    status = 404


class ModelNotFound(NotFound):
    """No manifest of that name in the store."""


class Busy(OllapyError):
    """The queue is full; the same request may succeed later."""

    status = 503


class StoreError(OllapyError):
    """The store on disk could not be read or written."""


class DigestMismatch(StoreError):
    """Bytes that are not the ones their digest names."""


class CorruptManifest(StoreError):
    """A manifest that does not parse or misses a part."""


class RemoteError(OllapyError):
    """Another server, or the network, did not do what was asked; names the host, never a credential."""


class NotOnRemote(RemoteError):
    """The other server does not have it."""


class Unauthorized(RemoteError):
    """The other server wants other credentials, or any."""


class Cancelled(OllapyError):
    """Nobody waits for the result any more; what was done so far is kept."""

    status = 499


class RunnerError(OllapyError):
    """A runner failed in a way that only its own requests feel."""


class InvalidNumbers(RunnerError):
    """What the model or its adapter computes is no number; what it left in memory may reach others."""


class LoadFailed(RunnerError):
    """The model could not be loaded; the sentence has llama.cpp's reason."""


class RunnerStopped(RunnerError):
    """The runner process ended while it owed an answer."""


class OutOfMemory(RunnerStopped):
    """The system ended the runner's process, as memory ran out."""


class EngineMissing(OllapyError):
    """llama-cpp-python is absent or not the version this build is made for, or there is no vLLM for who wants it."""


class DaemonUnreachable(OllapyError):
    """No daemon answers at the configured address."""


def _tree(root: type[OllapyError]) -> dict[str, type[OllapyError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


_BY_NAME = _tree(OllapyError)


def revive(name: str, message: str) -> OllapyError:
    """The error that another process raised, by its class name; an unknown class is the root's."""
    return _BY_NAME.get(name, OllapyError)(message)
