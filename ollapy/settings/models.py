"""ModelDefaults: what the settings file says of one model, `[models."mistral"]`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ollapy.api.thinking import LEVELS
from ollapy.errors import InvalidName, InvalidRequest
from ollapy.names import ModelName
from ollapy.settings.file import Entry, File
from ollapy.units import parse_keep_alive

SECTION = "models"
FIELDS = ("keep_alive", "think", "options")


@dataclass(frozen=True, slots=True)
class ModelDefaults:
    """What a request of the model gets where it says nothing itself; None where nothing is said here either."""

    keep_alive: float | str | None = None
    think: bool | int | str | None = None
    options: Mapping[str, object] = field(default_factory=dict)

    def over(self, other: ModelDefaults) -> ModelDefaults:
        """These, and the other's where these say nothing."""
        return ModelDefaults(
            other.keep_alive if self.keep_alive is None else self.keep_alive,
            other.think if self.think is None else self.think,
            {**other.options, **self.options},
        )


Section = tuple[str, str, str, str]  # a name's key, the tag empty for all tags
Sections = Mapping[Section, ModelDefaults]


def section_of(name: str) -> Section:
    """What a section is about: a model with its tag, or without one all its tags."""
    key = ModelName.parse(name).key
    return key if ":" in name.rpartition("/")[2] else (*key[:3], "")


def defaults_of(name: ModelName, sections: Sections) -> ModelDefaults:
    """Those of the name with its tag, over those of all its tags."""
    nothing = ModelDefaults()
    every = sections.get((*name.key[:3], ""), nothing)
    return sections.get(name.key, nothing).over(every)


def sections(file: File, problems: list[str]) -> dict[Section, ModelDefaults]:
    """The sections of a file; what is wrong with them is named, and left out."""
    found: dict[Section, ModelDefaults] = {}
    for key, entry in _lines(file):
        try:
            section = section_of(key[1])
            said = said_by(key[2:], entry)
        except InvalidName:
            problems.append(
                f"{file.path}:{entry.line}: {key[1]!r} is no name of a model"
            )
        except InvalidRequest as exc:
            problems.append(f"{file.path}:{entry.line}: {exc}")
        else:
            found[section] = said.over(found.get(section, ModelDefaults()))
    return found


def _lines(file: File) -> Iterator[tuple[tuple[str, ...], Entry]]:
    return ((k, e) for k, e in file.entries.items() if k[0] == SECTION and len(k) > 2)


def said_by(key: tuple[str, ...], entry: Entry) -> ModelDefaults:
    """One line of a section; InvalidRequest where it says nothing that there is."""
    name, value = key[0], entry.value
    if name == "options" and len(key) == 2:
        return ModelDefaults(options={key[1]: _option(key[1], value)})
    if len(key) > 1 or name not in _READERS:
        raise InvalidRequest(unknown(".".join(key), FIELDS, "of a model"))
    return _READERS[name](value)


def unknown(name: str, known: tuple[str, ...], of: str = "") -> str:
    """That there is no such setting, and which may be meant."""
    from difflib import get_close_matches  # most files have no such key

    near = get_close_matches(name.rpartition(".")[2], known, 1)
    end = f", did you mean {near[0]}?" if near else ""
    return f"there is no setting {name!r}{f' {of}' if of else ''}{end}"


def _option(name: str, value: object) -> object:
    from ollapy.api.options import Options

    if name not in Options.__struct_fields__:
        raise InvalidRequest(unknown(name, Options.__struct_fields__, "of options"))
    Options.parse({name: value})
    return value


def _keep_alive(value: object) -> ModelDefaults:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidRequest('keep_alive must be a duration such as "5m", or seconds')
    parse_keep_alive(value)
    return ModelDefaults(keep_alive=value)


def _think(value: object) -> ModelDefaults:
    is_good = value in LEVELS if isinstance(value, str) else isinstance(value, int)
    if not is_good or (isinstance(value, int) and value < 0):
        raise InvalidRequest(
            f"think must be true, false, {', '.join(LEVELS)} or a number of tokens"
        )
    assert isinstance(value, bool | int | str)
    return ModelDefaults(think=value)


_READERS: dict[str, Callable[[object], ModelDefaults]] = {
    "keep_alive": _keep_alive,
    "think": _think,
}
