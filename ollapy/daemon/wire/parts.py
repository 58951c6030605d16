"""Parts: a content of texts and images, as a text that has places for the images. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Image:
    """An image or sound in base64."""

    data: str


class Content(NamedTuple):
    """A text, the images in it, and where each stands; nothing of images where there are none."""

    text: str
    images: list[str] | None
    images_at: list[int] | None


def content(parts: Iterable[str | Image], *, lead: str = "") -> Content:
    """Texts that follow each other are on lines of their own, an image stands between its neighbours, and a lead first."""
    text, images, places, follows_text = lead, [], [], False
    for part in parts:
        if isinstance(part, Image):
            images.append(part.data)
            places.append(len(text))
        else:
            text += "\n" + part if follows_text else part
        follows_text = isinstance(part, str)
    return Content(text, images or None, places if any(places) else None)
