"""Templates: a model's own and those that requests bring, with what is known of each."""

from __future__ import annotations

from functools import lru_cache, partial

import msgspec

from ollapy.chat.foreign import Vocabulary
from ollapy.chat.formats import CALLS, Calls
from ollapy.chat.render import Renderer
from ollapy.chat.traits import PLAIN, Traits
from ollapy.llama.model import Model
from ollapy.templating import Source, TemplateProcess

from .protocol import Chat


class Templates:
    """Those that one model's chats are rendered with, by a process of their own. From any thread.

    Where there is no template, which is None, texts follow each other as they are.
    """

    def __init__(self, model: Model, process: TemplateProcess) -> None:
        self._model = model
        self._vocabulary = model.vocabulary
        self._process = process
        self.traits = lru_cache(maxsize=32)(self._learn)
        if not model.chat_template:
            process.close()  # until a request brings one

    def of(self, message: Chat) -> Source | None:
        """The template of a conversation."""
        if message.template:
            return Source(message.template, is_go=True)
        model = self._model
        text = model.tools_template if message.tools else model.chat_template
        return Source(text) if text else None

    def renderer(
        self, source: Source | None, vocabulary: Vocabulary | None = None
    ) -> Renderer:
        """What makes prompts with it, tokenised by the model or by another vocabulary."""
        return Renderer(
            None if source is None else partial(self._process.render, source),
            self.traits(source),
            vocabulary or self._vocabulary,
            bos=self._vocabulary.special_text("bos"),
            eos=self._vocabulary.special_text("eos"),
            adds_bos=self._vocabulary.adds_bos,
        )

    def _learn(self, source: Source | None) -> Traits:
        """What a template tells of its model, learned when a chat first needs it."""
        if source is None:
            return PLAIN
        traits = self._process.learn(source, Traits)
        if traits.tools and not (traits.format.calls or traits.format.headers):
            form = msgspec.structs.replace(traits.format, calls=self._spelled_calls())
            traits = msgspec.structs.replace(traits, format=form)
        return traits

    def _spelled_calls(self) -> tuple[Calls, ...]:
        """Ways to write calls for which the vocabulary has a control token: what a template says nothing of."""
        known = self._vocabulary
        starts = ((c, known.tokenize(c.start, begins=False)) for c in CALLS)
        found = [c for c, ids in starts if len(ids) == 1 and known.is_control(ids[0])]
        return tuple({c.start: c for c in reversed(found)}.values())
