"""The words that may follow, for each kind of argument: functions of its beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps


def _offered(
    words: Callable[[], Iterable[str]],
) -> Callable[[str], list[str]]:
    """Those of the words that begin so; none where they cannot be had."""

    @wraps(words)
    def offer(incomplete: str) -> list[str]:
        try:
            known = {*words()}
        except Exception:  # noqa: BLE001  # a prompt is no place for it
            return []
        return sorted(word for word in known if word.startswith(incomplete))

    del offer.__wrapped__  # whose parameters would be looked at
    return offer


@_offered
def models() -> Iterable[str]:
    """Models that are here."""
    from .here import stored

    return stored()


@_offered
def names() -> Iterable[str]:
    """Models that are here, or can be pulled by a short name."""
    from ollapy.catalog.catalog import names as known

    from .here import shortest, stored

    return [*stored(), *map(shortest, map(str, known()))]


@_offered
def loaded() -> Iterable[str]:
    """Models that are in memory."""
    from .here import running

    return running()


@_offered
def forms() -> Iterable[str]:
    """The form of an answer; the shell itself offers files."""
    return ("json",)


@_offered
def options() -> Iterable[str]:
    """Options of an answer, up to their values."""
    from ollapy.api.options import Options

    return (f"{name}=" for name in Options.__struct_fields__)


@_offered
def keys() -> Iterable[str]:
    """Settings, and those of the models that are here."""
    from ollapy.cli.configuration import BY_NAME

    from .here import stored

    of_models = (
        f"models.{m}.{key}" for m in stored() for key in ("keep_alive", "think")
    )
    return [*BY_NAME, *of_models]
