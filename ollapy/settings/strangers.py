"""Keys of the file that are no settings, each with what may be meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ollapy.settings.file import File, Key
from ollapy.settings.models import SECTION, unknown
from ollapy.settings.setting import PREFIXES


def unknown_keys(file: File, names: Sequence[str]) -> Iterator[str]:
    """A sentence for each."""
    for key, entry in file.entries.items():
        if key[0] == SECTION and len(key) > 2:
            continue
        if len(key) > 1 or key[0] not in names:
            yield f"{file.path}:{entry.line}: {stranger(key, names)}"


def stranger(key: Key, names: Sequence[str]) -> str:
    """That there is no such setting; a variable's name, or a setting in a section, leads to the setting."""
    if key == (SECTION,):
        return (
            f"{SECTION} are sections such as [{SECTION}.tiny], the folder is models_dir"
        )
    if key[0] == SECTION:
        return f'{key[-1]!r} belongs to a model, such as [{SECTION}."mistral"]'
    asked = key[-1].lower()
    for prefix in PREFIXES:
        asked = asked.removeprefix(prefix.lower())
    meant = unknown(asked, tuple(names))
    return meant.replace(repr(asked), repr(".".join(key)), 1)
