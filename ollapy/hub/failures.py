"""What the hub and its library have to say when it does not work, each as one sentence with a cure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ollapy.errors import NotOnRemote, RemoteError, Unauthorized
from ollapy.net import failures
from ollapy.net.failures import ConnectionFailed, Refused, shown
from ollapy.net.urls import Url

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

_LOGIN = "log in with 'hf auth login', or start ollapy with HF_TOKEN set"


def denied(repository: str, endpoint: str, *, is_gated: bool) -> str:
    """What to do about a repository that is there, but not for everybody."""
    if not is_gated:
        return f"'{repository}' may not be downloaded by everybody: {_LOGIN}"
    page = f"{endpoint}/{repository}"
    return f"'{repository}' is gated: accept its terms at {page}, then {_LOGIN}"


@contextmanager
def told_of(repository: str, endpoint: str) -> Iterator[None]:
    """Failures of the library, and of reading what it gives back, as RemoteError."""
    from huggingface_hub import errors

    host = Url.parse(endpoint).authority
    try:
        yield
    except errors.HfHubHTTPError as exc:
        raise _refusal(exc, repository, endpoint, host) from exc
    except errors.OfflineModeIsEnabled as exc:
        reason = f"HF_HUB_OFFLINE is set, so {host} is not asked for '{repository}'"
        raise ConnectionFailed(reason, passing=False) from exc
    except errors.OIDCError as exc:
        raise Unauthorized(f"could not log in to {host}: {shown(str(exc))}") from exc
    except errors.HFValidationError as exc:
        raise NotOnRemote(f"'{repository}' is no name of a repository") from exc
    except (
        errors.HTTPError,  # type: ignore[attr-defined]  # httpx2's, or in older releases httpx's
        OSError,
    ) as exc:
        raise _lost(exc, host) from exc
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise RemoteError(
            f"{host} gave an answer about '{repository}' that is not the hub's"
        ) from exc


def _refusal(
    exc: HfHubHTTPError, repository: str, endpoint: str, host: str
) -> RemoteError:
    from huggingface_hub import errors

    status = exc.response.status_code
    match exc:
        case errors.GatedRepoError():
            return Unauthorized(denied(repository, endpoint, is_gated=True))
        case errors.RepositoryNotFoundError():
            return NotOnRemote(
                f"{host} has no repository '{repository}', or it is private: check the name, or {_LOGIN}"
            )
        case errors.DisabledRepoError():
            return NotOnRemote(f"{host} has taken down '{repository}'")
    if status == 401:
        return Unauthorized(f"{host} does not accept your token: {_LOGIN}")
    if status == 403:
        return Unauthorized(f"{host} does not let you see '{repository}': {_LOGIN}")
    if status == 404:
        return NotOnRemote(f"{host} has no repository '{repository}'")
    said = shown(exc.server_message or "")
    reason = f"{host} answered {status} when asked for '{repository}'"
    again = exc.response.headers.get("retry-after")
    return Refused(f"{reason}: {said}" if said else reason, status, again)


def _lost(exc: BaseException, host: str) -> ConnectionFailed:
    """What happened on the way, in the words of our own requests."""
    cause: BaseException | None = exc
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    try:
        with failures.told_of(host):
            raise cause or ConnectionError()
    except ConnectionFailed as failure:
        return failure
