"""MediaReader: from the pictures and sounds of a request to what stands for them among its tokens."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path

import msgspec

from ollapy.api.ollama import Message
from ollapy.engine.media import begins, placeholders
from ollapy.errors import Unsupported
from ollapy.llama.model import Model
from ollapy.llama.projector import Chunk, Projector, open_projector
from ollapy.llama.vocabulary import Vocabulary
from ollapy.media import Kind, to_png

from .protocol import Load, Media

# Not characters (Unicode keeps them for use inside a program): a picture's place in a text is between two of them.
_OPEN, _CLOSE = "\ufdd2", "\ufdd3"
_MAX_KEPT = 8  # files that were read, with their pixels

Part = list[int] | Chunk


class MediaReader:
    """Loads a projector when it is first needed, and keeps it. For several threads."""

    def __init__(self, model: Model, load: Load) -> None:
        self._model = model
        self._load = load
        self._lock = threading.Lock()
        self._resources = ExitStack()
        self._projectors: dict[str, Projector] = {}
        self._kept: OrderedDict[int, list[Part]] = OrderedDict()

    def reading(self, media: Media, texts: Iterable[str]) -> Reading:
        """For one request, with marks for its pictures that none of its texts has."""
        return Reading(self, self._model.vocabulary, media, list(texts))

    def read(self, media: Media, name: str) -> list[Part]:
        """What becomes of a file: tokens, chunks, and tokens again; InvalidRequest where it cannot be decoded."""
        key = _key(media.projector, name)
        with self._lock:
            if (parts := self._kept.get(key)) is None:
                projector = self._projector(media.projector)
                parts = projector.read(_readable(media.files[name]), key)
                self._check(parts)
                self._kept[key] = parts
            self._kept.move_to_end(key)
            if len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)
            return parts

    def _projector(self, path: str) -> Projector:
        if path not in self._projectors:
            opening = open_projector(
                Path(path),
                self._model,
                num_threads=self._load.num_threads,
                uses_gpu=bool(self._load.place.devices),
            )
            self._projectors[path] = self._resources.enter_context(opening)
        return self._projectors[path]

    def _check(self, parts: list[Part]) -> None:
        """A chunk that must be computed at once fits a batch, or llama.cpp would abort."""
        most = self._load.num_batch
        for part in parts:
            if (
                isinstance(part, Chunk)
                and not part.is_causal
                and part.num_tokens > most
            ):
                raise Unsupported(
                    f"the image takes {part.num_tokens} tokens at once, and only {most} can be computed so: make it smaller"
                )


class Reading:
    """A model's tokenizer for texts that have marks in them where pictures are."""

    def __init__(
        self,
        reader: MediaReader,
        vocabulary: Vocabulary,
        media: Media,
        texts: list[str],
    ) -> None:
        self._reader = reader
        self._vocabulary = vocabulary
        self._media = media
        self._names = list(media.files)
        self._open = _OPEN
        while any(self._open in text for text in texts):
            self._open += _OPEN
        known = "|".join(map(str, range(len(self._names))))
        self._mark = re.compile(f"{self._open}({known}){_CLOSE}")
        self._chunks: dict[int, Chunk] = {}  # by their first placeholder

    def marked(self, message: Message) -> Message:
        """The message with its pictures where they stand in it; before its words, as models are trained, where it does not say."""
        text, end, marked = message.content or "", 0, ""
        for name, place in zip_longest(message.images or (), message.images_at or ()):
            if name is not None:
                start, end = end, min(max(place or 0, end), len(text))
                marked += text[start:end] + self.mark(name)
        return msgspec.structs.replace(message, content=marked + text[end:])

    def placed(self, prompt: str, names: list[str]) -> str:
        """A prompt with its pictures where it says [img-0] and so on, and the others before it."""
        before = ""
        for number, name in enumerate(names):
            place, mark = f"[img-{number}]", self.mark(name)
            if place in prompt:
                prompt = prompt.replace(place, mark, 1)
            else:
                before += mark
        return before + prompt

    def mark(self, name: str) -> str:
        """What stands for a picture in a text."""
        return f"{self._open}{self._names.index(name)}{_CLOSE}"

    def tokenize(
        self, text: str, *, special: bool = True, begins: bool = True
    ) -> list[int]:
        """The tokens of a text, with placeholders where it has marks."""
        first, *rest = self._mark.split(text)
        tokens = self._vocabulary.tokenize(first, special=special, begins=begins)
        for number, after in zip(rest[::2], rest[1::2], strict=True):
            tokens += self._placeholders(self._names[int(number)])
            tokens += self._vocabulary.tokenize(after, special=special, begins=False)
        return tokens

    def control_texts(self, tokens: Iterable[int]) -> set[str]:
        """The texts of the control tokens among these."""
        return self._vocabulary.control_texts(token for token in tokens if token >= 0)

    def chunks(self, tokens: list[int]) -> dict[int, Chunk]:
        """What the placeholders among tokens that it has made stand for, by the index of the first of each."""
        return {i: self._chunks[t] for i, t in enumerate(tokens) if begins(t)}

    def _placeholders(self, name: str) -> list[int]:
        tokens: list[int] = []
        for part in self._reader.read(self._media, name):
            if isinstance(part, Chunk):
                stands = placeholders(part)
                self._chunks[stands[0]] = part
                tokens += stands
            else:
                tokens += part
        return tokens


def _readable(data: bytes) -> bytes:
    return to_png(data) if Kind.of(data) is Kind.WEBP else data


def _key(projector: str, name: str) -> int:
    """What tells a file that one projector reads from all others; 128 bits."""
    return int.from_bytes(hashlib.sha256(f"{projector}\0{name}".encode()).digest()[:16])
