"""Finding a model by words, or by a name that is not quite right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from ollapy.names import TAG

from .catalog import Entry, entries, names


def search(words: Iterable[str]) -> list[Entry]:
    """The models with all of the words in name or summary, the best first; all models for no words.

    Best is a model of that very name, then one whose name begins with a word, then one with a word in its name.
    """
    wanted = [word.lower() for word in words]
    found = [entry for entry in entries() if _has_all(entry, wanted)]
    return sorted(found, key=lambda entry: min(_ranks(entry, wanted), default=0))


def nearest(text: str) -> list[str]:
    """Up to five names that look like the text, the likest first."""
    known = {str(name).removesuffix(f":{TAG}") for name in names()}
    return get_close_matches(text.lower().removesuffix(f":{TAG}"), sorted(known), 5)


def _has_all(entry: Entry, words: list[str]) -> bool:
    text = f"{entry.name} {entry.summary}".lower()
    return all(word in text for word in words)


def _ranks(entry: Entry, words: list[str]) -> Iterable[int]:
    """How well each word fits, 0 best."""
    for word in words:
        fits = (
            word in (entry.name.model, str(entry.name)),
            entry.name.model.startswith(word),
            word in str(entry.name),
            True,
        )
        yield fits.index(True)
