"""Texts as Lark takes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import groupby

# What rules call a few blanks, or none.
SPACE = "SPACE"
SPACE_RULE = r"SPACE: /[ \t\n]{0,8}/"

_RUN = r"\s+"
_WORD_END = re.compile(r"[\w\"']$")
_SIGNS = re.compile(r"[\\.^$*+?()\[\]{}|/&~#-]")


def quoted(text: str) -> str:
    """A text as a string, nothing where it is empty."""
    return json.dumps(text, ensure_ascii=False) if text else ""


def spelled(text: str, tags: Iterable[str] = ()) -> str:
    """A text as a rule's items: with any blanks where it has some, and with some or none around its whole tags.

    Blanks between words stay as they are.
    """
    marks = [re.escape(tag) for tag in tags if tag]
    parts = [part for part in re.split(f"({'|'.join([*marks, _RUN])})", text) if part]
    items: list[str] = []
    for before, part, after in zip(["", *parts], parts, [*parts[1:], ""], strict=False):
        if part.isspace():
            items.append(quoted(part) if _are_words(before, after) else SPACE)
        elif part in tags:
            items += [SPACE, quoted(part), *after_tag(part)]
        else:
            items.append(quoted(part))
    return " ".join(item for item, _ in groupby(items))


def after_tag(tag: str) -> list[str]:
    """What may stand after a tag: blanks, where it is not the beginning of one."""
    return [SPACE] if tag.endswith((">", "]")) else []


def _are_words(before: str, after: str) -> bool:
    """Whether a blank between two texts keeps them apart; at an edge the one decides that there is."""
    ends = not before or bool(_WORD_END.search(before))
    return ends and (not after or after[0].isalnum()) and bool(before or after)


def escaped(text: str) -> str:
    """A text as part of a regular expression between slashes."""
    return _SIGNS.sub(r"\\\g<0>", text).replace("\n", r"\n")
