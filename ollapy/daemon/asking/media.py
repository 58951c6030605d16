"""The pictures and sounds of a request: decoded from base64, checked, and named by their content. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence

import msgspec

from ollapy.api.ollama import (
    ChatRequest,
    GenerateRequest,
    InferenceRequest,
    Message,
)
from ollapy.daemon.asking.askable import Askable
from ollapy.errors import InvalidRequest, Unsupported
from ollapy.media import Kind, check
from ollapy.runner.protocol import Media

_MAX_FILES = (
    64  # of a whole conversation; each is computed once, however often it is sent
)
_HEAD = 64  # characters of base64 that have a file's first bytes
_BREAKS = str.maketrans("", "", "\r\n")
_ILLEGAL = re.compile(r"[^A-Za-z0-9+/]")


def has_images(request: InferenceRequest) -> bool:
    """Whether there is something to decode."""
    match request:
        case ChatRequest(messages=list(messages)):
            return any(message.images for message in messages)
        case GenerateRequest(images=images):
            return bool(images)
    return False


class Files:
    """Collects what a model is given to see or hear; Unsupported where it does neither."""

    def __init__(self, request: InferenceRequest, model: Askable) -> None:
        self._request = request
        self._model = model
        self._found: dict[str, bytes] = {}

    @property
    def media(self) -> Media | None:
        """All of them, and what reads them; None where there are none."""
        if not self._found:
            return None
        return Media(str(self._model.projectors[0]), self._found)

    def named(self, messages: Iterable[Message]) -> list[Message]:
        """The messages with names in place of their images."""
        return [
            msgspec.structs.replace(m, images=self.names(m.images)) if m.images else m
            for m in messages
        ]

    def names(self, images: Sequence[str]) -> list[str]:
        """The names of images that are given in base64."""
        return [self._name(image) for image in images]

    def _name(self, image: str) -> str:
        self._require_ability(image)
        place = f"image {len(self._found) + 1}"
        data = _decoded(image, place)
        if kind := Kind.of(data):
            self._require(kind.is_sound)
        check(data, place)
        name = hashlib.sha256(data).hexdigest()
        self._found[name] = data
        if len(self._found) > _MAX_FILES:
            raise InvalidRequest(f"more than {_MAX_FILES} images are not taken at once")
        return name

    def _require_ability(self, image: str) -> None:
        able = {"vision", "audio"} & {*self._model.capabilities}
        if not able:
            what = "sounds" if _is_sound(image) else "images"
            raise Unsupported(f'"{self._request.model}" does not support {what}')
        if not self._model.projectors:
            raise Unsupported(
                f'"{self._request.model}" has no projector (mmproj) file, which is what reads images: pull it '
                "from a repository that has one, or create it with a second FROM"
            )

    def _require(self, is_sound: bool) -> None:
        ability, what = ("audio", "sounds") if is_sound else ("vision", "images")
        if ability not in self._model.capabilities:
            raise Unsupported(f'"{self._request.model}" does not support {what}')


def _is_sound(image: str) -> bool:
    """By its beginning, of which the rest is not decoded."""
    try:
        kind = Kind.of(base64.b64decode(image[:_HEAD]))
    except ValueError:
        return False
    return kind is not None and kind.is_sound


def _decoded(image: str, place: str) -> bytes:
    """What is encoded in base64, with line breaks or without."""
    text = image.translate(_BREAKS)
    body = text.rstrip("=")
    if not text:
        raise InvalidRequest(f"{place} is empty")
    if text.startswith("data:"):
        raise InvalidRequest(
            f"{place}: illegal base64 data at input byte 4: leave out all up to the comma of the data: URL"
        )
    if found := _ILLEGAL.search(body):
        raise InvalidRequest(
            f"{place}: illegal base64 data at input byte {found.start()}"
        )
    if len(text) % 4 or len(text) - len(body) > 2:
        raise InvalidRequest(f"{place}: illegal base64 data at input byte {len(body)}")
    return base64.b64decode(text)
