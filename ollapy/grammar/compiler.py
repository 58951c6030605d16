"""Compiler: from grammars to constraints, for one model's vocabulary."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper

from ollapy.api.grammar import Grammar, GrammarKind
from ollapy.errors import InvalidRequest

from .calls import Calling, Function
from .constraint import Constraint
from .lark import Thought, program
from .schema import find, prepared

logger = logging.getLogger(__name__)

_MAX_CACHED = 64
_MAX_CACHED_CHARS = 4 << 20
_MAX_SENTENCE = 400
_MAX_LEXER_STATES = 50_000  # 2 KB each
# Ways in which an answer so far may be read. A grammar of the user's that has many has ever more, and each token
# costs their square: 20 ms with so many. Schemas have many only where one object has many properties.
_MAX_OWN_ITEMS, _MAX_ITEMS = 500, 10_000
_UNSUPPORTED = re.compile(r'Unimplemented keys: \["([^"]+)"')


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The bytes of every token, those that are no text, and those that end an answer."""

    tokens: list[bytes]
    control: list[int]
    ends: list[int]


class Compiler:
    """Makes constraints; what was compiled lately is kept. From any thread.

    `read` gives the vocabulary when it is first needed: reading a large one takes a third of a second.
    """

    def __init__(self, read: Callable[[], Vocabulary]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._tokenizer: LLTokenizer | None = None
        self._compiled: OrderedDict[str, LLMatcher] = OrderedDict()

    def constraint(
        self,
        grammar: Grammar | None,
        thought: Thought | None = None,
        prefill: str = "",
        calling: Calling | None = None,
    ) -> Constraint:
        """What a new answer is held to, which goes on from `prefill` where that begins what the grammar takes.

        InvalidRequest where the grammar cannot be enforced, or nothing is what it asks for. Of tools that need
        not be enforced it gives up what cannot be.
        """
        if grammar:
            matcher = self._checked(grammar, thought)
        if calling:
            matcher = self._with_calls(grammar, thought, calling)
        constraint = Constraint(matcher.deep_copy())
        if prefill and self._tokenizer:
            constraint.follow(self._tokenizer.greedy_tokenize(prefill))
        return constraint

    def _checked(self, grammar: Grammar, thought: Thought | None) -> LLMatcher:
        try:
            return self._matcher(program(grammar, thought), _max_items(grammar))
        except InvalidRequest as exc:
            raise InvalidRequest(
                f"{_NAMES[grammar.kind]}: {_located(str(exc), grammar)}"
            ) from exc

    def _with_calls(
        self, grammar: Grammar | None, thought: Thought | None, calling: Calling
    ) -> LLMatcher:
        try:
            return self._matcher(
                program(grammar, thought, calling), _max_items(grammar)
            )
        except InvalidRequest:
            functions = tuple(map(self._enforceable, calling.functions))
            calling = replace(calling, functions=functions)
            return self._matcher(
                program(grammar, thought, calling), _max_items(grammar)
            )

    def _enforceable(self, function: Function) -> Function:
        """The function; with any arguments where its schema cannot be enforced and need not be."""
        grammar = Grammar(GrammarKind.SCHEMA, function.parameters)
        try:
            self._matcher(program(grammar, None), _max_items(grammar))
        except InvalidRequest as exc:
            if function.is_strict:
                reason = _located(str(exc), grammar)
                raise InvalidRequest(f"tool {function.name}: {reason}") from exc
            logger.warning("tool not constrained name=%s: %s", function.name[:80], exc)
            return replace(function, parameters=prepared({"type": "object"}))
        return function

    def _matcher(self, text: str, max_items: int) -> LLMatcher:
        """The compiled grammar as it stands before the first token; not to be changed."""
        with self._lock:
            found = self._compiled.get(text)
            if found is not None:
                self._compiled.move_to_end(text)
                return found
            tokenizer = self._tokenizer = self._tokenizer or _tokenizer(self._read())
        matcher = _compile(tokenizer, text, max_items)
        with self._lock:
            self._compiled[text] = matcher
            while (
                len(self._compiled) > _MAX_CACHED
                or sum(map(len, self._compiled)) > _MAX_CACHED_CHARS
            ):
                self._compiled.popitem(last=False)
        return matcher


def _tokenizer(vocabulary: Vocabulary) -> LLTokenizer:
    if not vocabulary.ends:
        raise InvalidRequest("this model has no token that ends an answer")
    return LLTokenizer(TokenizerWrapper(_Tokens(vocabulary)), eos_token=vocabulary.ends)


class _Tokens:
    """A vocabulary under the names that llguidance reads."""

    bos_token_id = None

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.tokens = vocabulary.tokens
        self.eos_token_id = vocabulary.ends[0]
        self.special_token_ids = vocabulary.control

    def __call__(self, text: object) -> list[int]:
        """Never needed: no text is forced in one spelling."""
        raise NotImplementedError


def _compile(tokenizer: LLTokenizer, text: str, max_items: int) -> LLMatcher:
    started = time.monotonic()
    limits = LLParserLimits(
        max_items_in_row=max_items,
        max_lexer_states=_MAX_LEXER_STATES,
        verbose_errors=False,
    )
    matcher = LLMatcher(tokenizer, text, log_level=0, limits=limits)
    if not matcher.is_error():
        matcher.compute_bitmask()  # finds out whether anything can be said, and warms what copies share
    if matcher.is_error():
        raise InvalidRequest(_complaint(matcher.get_error()))
    logger.debug(
        "grammar compiled chars=%d seconds=%.3f", len(text), time.monotonic() - started
    )
    return matcher


def _max_items(grammar: Grammar | None) -> int:
    is_own = grammar is not None and grammar.kind is GrammarKind.LARK
    return _MAX_OWN_ITEMS if is_own else _MAX_ITEMS


def _complaint(error: str) -> str:
    """llguidance's sentence without the lines of the grammar that it quotes."""
    if "NoExtension" in error:
        return "nothing is what it asks for"
    sentence = re.split(r"\n +\d+ \| ", error)[0]
    sentence = sentence.removeprefix("at ").split("failed to compile JSON schema: ")[-1]
    return " ".join(sentence.split())[:_MAX_SENTENCE]


def _located(complaint: str, grammar: Grammar) -> str:
    """With the place of a keyword that is not supported, where it is one."""
    found = _UNSUPPORTED.search(complaint)
    if found is None or grammar.kind is not GrammarKind.SCHEMA:
        return complaint
    return f"{find(grammar.source, found[1])} is not supported"


_NAMES = {
    GrammarKind.SCHEMA: "format",
    GrammarKind.REGEX: "regex",
    GrammarKind.CHOICE: "choice",
    GrammarKind.LARK: "grammar",
}
