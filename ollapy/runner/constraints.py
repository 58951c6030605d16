"""Constraints: what the answers of one model are held to, by their requests' grammars and tools."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache, partial

from ollapy.chat.formats import Format
from ollapy.chat.parser import Parser
from ollapy.chat.traits import Traits
from ollapy.grammar.calls import Calling
from ollapy.grammar.compiler import Compiler, Vocabulary
from ollapy.grammar.constraint import Constraint
from ollapy.grammar.lark import Thought
from ollapy.llama.model import Model

from .calling import calling_of
from .protocol import Chat, Complete


class Constraints:
    """Makes them, from any thread.

    `visible` has the control tokens that are seen in an answer for the texts that are looked for in it.
    """

    def __init__(
        self, model: Model, visible: Callable[[tuple[str, ...]], frozenset[int]]
    ) -> None:
        self._tokens = model.vocabulary
        self._visible = visible
        self._compiler = lru_cache(maxsize=4)(self._new_compiler)

    def of_chat(
        self, message: Chat, traits: Traits, parser: Parser, prefill: str
    ) -> Constraint | None:
        """For an answer that goes on from `prefill`; None where it may be anything."""
        calling = calling_of(message, traits, self._ends) if message.tools else None
        if not (message.grammar or calling):
            return None
        form = traits.format
        thought = _thought(message, form, parser, calling)
        compiler = self._compiler(self._visible(form.markers))
        return compiler.constraint(message.grammar, thought, prefill, calling)

    def of_completion(self, message: Complete) -> Constraint | None:
        """For text that a prompt goes on with."""
        if not message.grammar:
            return None
        return self._compiler(self._visible(())).constraint(message.grammar)

    @cached_property
    def _ends(self) -> tuple[str, ...]:
        """The texts that end a turn."""
        pieces = map(self._tokens.piece, self._end_tokens)
        return tuple(piece.decode("utf-8", "replace") for piece in pieces)

    @cached_property
    def _end_tokens(self) -> tuple[int, ...]:
        return tuple(filter(self._tokens.is_end, range(self._tokens.num_tokens)))

    def _new_compiler(self, visible: frozenset[int]) -> Compiler:
        return Compiler(partial(self._vocabulary, visible))

    def _vocabulary(self, visible: frozenset[int]) -> Vocabulary:
        """What grammars are made of; control tokens that are seen in an answer are text to them."""
        known, ends = self._tokens, set(self._end_tokens)
        control = {t for t in range(known.num_tokens) if not known.is_text(t)}
        hidden = ends | control - visible
        return Vocabulary(known.pieces, control=[*hidden], ends=[*ends])


def _thought(
    message: Chat, form: Format, parser: Parser, calling: Calling | None
) -> Thought | None:
    """What comes before an answer that must be something: the model thinks where it is asked to."""
    if form.headers and calling and not message.grammar:
        # a thought is a message like the others: only what must be a call is told from it
        if not (form.thinks and message.must_call):
            return None
        return Thought(form.start_of_thought, form.headers.turn, is_optional=True)
    if parser.is_thinking:
        return Thought("", form.tag_after_thought)
    # messages with headers begin with one: without a thought there would be none
    wanted = message.think or form.headers
    if not (wanted and form.thinks and parser.may_think):
        return None
    # a call or text is told from a thought by its beginning, what a grammar asks for may not be
    is_optional = message.grammar is None
    return Thought(form.start_of_thought, form.tag_after_thought, is_optional)
