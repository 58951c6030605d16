"""The keys and values of the settings file, as a command line has them."""

from __future__ import annotations

import re

from ollapy.errors import InvalidRequest
from ollapy.settings.file import Entry, Key
from ollapy.settings.models import SECTION, said_by, section_of
from ollapy.settings.setting import Setting
from ollapy.settings.strangers import stranger
from ollapy.settings.table import TABLE

# A shell takes the quotes away that TOML wants around a name with dots in it.
_MODEL = re.compile(rf"{SECTION}\.(.+?)\.(keep_alive|think|options\.[a-z_]+|[a-z_]+)")
BY_NAME = {it.name: it for it in TABLE.values()}


def key_of(text: str) -> Key:
    """`keep_alive`, `models.mistral.keep_alive` or `models.mistral.options.temperature` in parts."""
    if found := _MODEL.fullmatch(text):
        section_of(name := found[1].strip("\"'"))
        return (SECTION, name, *found[2].split("."))
    if text in BY_NAME:
        return (text,)
    raise InvalidRequest(stranger(tuple(text.split(".")), list(BY_NAME)))


def setting_of(key: Key) -> Setting | None:
    """The setting of a key; None for a model's."""
    return BY_NAME.get(key[0])


def value_of(key: Key, text: str) -> object:
    """A text as the file has the value; InvalidRequest where it cannot be the key's."""
    if setting := setting_of(key):
        try:
            return setting.kind.toml(text)
        except ValueError as exc:
            raise InvalidRequest(
                f"{setting.name} must be {setting.kind.told}, not {text!r}"
            ) from exc
    value = _of_model(key[2:], text)
    said_by(key[2:], Entry(value, 0))
    return value


def _of_model(key: Key, text: str) -> object:
    from ollapy.cli.arguments import level_of, options_of

    if key[0] == "options" and len(key) == 2:
        return options_of([(key[1], text)])[key[1]]
    if key[0] == "think":
        return text if (level := level_of(text)) is None else level
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else text
