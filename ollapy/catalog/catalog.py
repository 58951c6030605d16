"""Entry: a model of the catalog. Each is a Modelfile, `modelfiles/<name>/<tag>`, which is read when it is asked for.

    # Meta: small and quick, tools      in one line, for `ollapy search`
    # size: 2.0 GB                      about what a pull fetches
    FROM hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M

An alias is a Modelfile with nothing but another name of the catalog: `FROM llama3.2:3b`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ollapy.modelfile import Modelfile, decode, parse
from ollapy.names import HOST, NAMESPACE, ModelName
from ollapy.units import parse_bytes

_EXAMPLES = "examples"  # in the same folder, but not for pulling
_SIZE = "size:"


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that can be pulled; `size` is about how many bytes that takes.

    The Modelfile is the one that an alias ends at, so its source is always on the hub.
    """

    name: ModelName
    modelfile: Modelfile
    summary: str
    size: int

    @property
    def source(self) -> ModelName:
        """The files on the hub that it stands for."""
        return ModelName.parse(self.modelfile.sources[0])


def find(name: ModelName) -> Entry | None:
    """The entry of a name, however its letters are cased; only plain names have one."""
    if (name.host.lower(), name.namespace.lower()) != (HOST, NAMESPACE):
        return None
    file = path(name)
    if file.parent.name == _EXAMPLES or not file.is_file():
        return None
    text = decode(file.read_bytes())
    target = _alias(text)
    if target is None:
        return _entry(name, text)
    found = find(target)
    return found and Entry(name, found.modelfile, found.summary, found.size)


def entries() -> list[Entry]:
    """Every model once, so without the aliases; those of one name by their sizes."""
    texts = ((name, decode(path(name).read_bytes())) for name in names())
    found = (_entry(name, text) for name, text in texts if _alias(text) is None)
    return sorted(found, key=lambda it: (it.name.model, it.size, it.name.tag))


def names() -> Iterator[ModelName]:
    """What can be asked for, the aliases too."""
    for file in folder().glob("*/*"):
        if file.parent.name != _EXAMPLES:
            yield ModelName(HOST, NAMESPACE, file.parent.name, file.name)


def path(name: ModelName) -> Path:
    """Where the Modelfile of a name is, if there is one."""
    return folder() / name.model.lower() / name.tag.lower()


def folder() -> Path:
    """The Modelfiles: in an installed package beside this module, else where they are written."""
    shipped = Path(__file__).with_name("modelfiles")
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "modelfiles"


def _alias(text: str) -> ModelName | None:
    """The entry that the text of an alias names: there is nothing in it to be shown."""
    return None if text.startswith("#") else ModelName.parse(parse(text).sources[0])


def _entry(name: ModelName, text: str) -> Entry:
    summary, size = (line.removeprefix("# ") for line in text.splitlines()[:2])
    return Entry(
        name, parse(text), summary, parse_bytes(size.removeprefix(_SIZE).strip())
    )
