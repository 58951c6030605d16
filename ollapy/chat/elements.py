"""Arguments in tags with lists and objects in tags again, as text and children; None where it is not that."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .declared import declared_types, member, typed

_MAX_DEPTH = 64


@dataclass(slots=True)
class Element:
    """What stands in a tag: text, or children in their order."""

    name: str = ""
    text: str = ""
    children: list[Element] = field(default_factory=list)


def read_elements(text: str, mark: str) -> list[Element] | None:
    """Elements and nothing else; `mark` comes before each of their tags."""
    open_ones, at = [Element()], 0
    for tag in _tags(mark).finditer(text):
        between, at = text[at : tag.start()], tag.end()
        if tag["end"]:
            if len(open_ones) == 1 or open_ones[-1].name != tag["name"]:
                return None
            open_ones.pop().text = between
        elif between.strip() or len(open_ones) > _MAX_DEPTH:
            return None
        else:
            child = Element(tag["name"])
            open_ones[-1].children.append(child)
            open_ones.append(child)
    return (
        open_ones[0].children if len(open_ones) == 1 and not text[at:].strip() else None
    )


def value_of(element: Element, schema: Mapping[str, Any], item: str) -> Any:
    """The value, of the type that its schema declares; `item` is the name that items of lists have."""
    types = declared_types(schema)
    if not element.children:
        return _leaf(element.text, types)
    is_list = all(child.name == item for child in element.children)
    if is_list and ("array" in types or "object" not in types):
        items = member(schema, "items")
        return [value_of(child, items, item) for child in element.children]
    properties = member(schema, "properties")
    return {
        child.name: value_of(child, member(properties, child.name), item)
        for child in element.children
    }


def _leaf(text: str, types: frozenset[str]) -> Any:
    if not text.strip() and "string" not in types:
        if "array" in types:
            return []
        if "object" in types:
            return {}
    return typed(text, types)


@lru_cache(maxsize=16)
def _tags(mark: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(mark)}<(?P<end>/?)(?P<name>[^<>/\s]+)>")
