"""Vocabularies of real size: a file's, or one that is made up.

The made-up one has no corpus behind it: its words are all that a few patterns of consonants and
vowels spell, and some of the commonest English ones. Other English words mostly begin with one of
the first kind and end with another.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, product
from pathlib import Path
from typing import Any

import gguf

from .templates import CHATML
from .vocabulary import PROMPT_TOKENS, add_byte_vocabulary

_LETTERS = {"C": "bcdfghklmnprstvwy", "V": "aeiou", "L": string.ascii_lowercase}
_ENDINGS = "LL VCC VCV CVC CVV CCV VVC CVVC CVCC"
# the last pattern has more words than the largest vocabulary has room for
_BEGINNINGS = "LL CVCC CCVC CVCV CVVC VCCV VCVC CVCCV"
# common words that no pattern spells
_COMMON = """
about above across after again against agree air allow almost alone along already although always among animal
another answer anything appear apple area around aunt beautiful became because become before began begin
behind being believe below better between beyond black blue board bottle box branch bread break bridge bright
bring brother brought brown build business cannot capital carry cause center certain chair chance change check
child children choose circle class clear close cloud coffee color common complete consider contain continue
control corner correct could country course cover create cross cry daughter decide describe develop differ
different dinner direct doctor doubt dream dress drink drive during each early earth east easy eat effect
eight either engine enough enter equal evening event every everything exact example experience explain family
famous father feather field fight figure final finger first floor flower fly follow forest found fox free
friend front fruit garden general glass government grass great green ground group guess happen happy heart
heavy history hospital house however human hundred idea important include increase instead interest island
itself join journey jump just kitchen knife language later laugh lazy learn least leave length letter library
light listen little lunch machine market matter measure member memory middle might million minute modern
moment money month morning mother mountain mouth music nation nature necessary needle never next night north
nothing notice number object ocean office often only orange order other our out paper pattern pencil people
perhaps period person picture piece place plain plant please point position possible potato power present
president press pretty printed probably problem process produce program prove provide public quarter queen
question quick quiet quite raise reach ready really reason receive record remember report request result
return right river round school science season second secret sentence service seven several shall shape share
short should silver simple single sister six size sky sleep small smile social something sometimes sound south
space speak special speed spell spring square stamp stand start state station still stone stood store story
straight strange stream street strong student study subject sudden summer support suppose surface system teach
teacher thank their there these thick thing think third those though thought thousand thread three through
thumb ticket today together tomorrow tonight tooth total toward train travel tree trouble true try umbrella
uncle under understand until usual valley value various village visit voice watch water weather weight wheel
where whether which while white whole whose why window winter within without woman women wonder world would
write wrong yellow yesterday young
"""
_TOKENS, _TEMPLATE = "tokenizer.ggml.tokens", "tokenizer.chat_template"


@dataclass(frozen=True)
class Vocabulary:
    """Tokens, and what adds them to a writer, with ChatML."""

    tokens: list[str]
    add_to: Callable[[Any], None]


def vocabulary_of(path: Path) -> Vocabulary:
    """The vocabulary of a model file."""
    fields = [
        field
        for name, field in gguf.GGUFReader(path).fields.items()
        if name.startswith("tokenizer.") and not name.startswith(_TEMPLATE)
    ]
    tokens = next(field.contents() for field in fields if field.name == _TOKENS)

    def add_to(writer: Any) -> None:
        for field in fields:
            kind, sub_type = field.types[0], field.types[-1]
            writer.add_key_value(field.name, field.contents(), kind, sub_type)
        writer.add_chat_template(CHATML)

    return Vocabulary(tokens, add_to)


def made_up_vocabulary(size: int) -> Vocabulary:
    """That many tokens, beginning with PROMPT_TOKENS."""
    words = chain(
        ("Ġ" + letter for letter in string.ascii_letters),
        _prefixes("Ġ" + word for word in _COMMON.split()),
        _spelled(_ENDINGS),
        _prefixes("Ġ" + word for word in _spelled(_BEGINNINGS)),
    )
    tokens = list(dict.fromkeys(chain(PROMPT_TOKENS, words)))[:size]
    merges = list(_merges(tokens[len(PROMPT_TOKENS) :]))
    add_to = partial(
        add_byte_vocabulary, tokens=tokens, chat_template=CHATML, merges=merges
    )
    return Vocabulary(tokens, add_to)


def _spelled(patterns: str) -> Iterator[str]:
    for pattern in patterns.split():
        yield from map("".join, product(*(_LETTERS[kind] for kind in pattern)))


def _prefixes(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        yield from (word[:end] for end in range(2, len(word) + 1))


def _merges(words: list[str]) -> Iterator[str]:
    """First a word's beginning, letter by letter as far as it goes; then the rest of it."""
    for word in words:
        if word.startswith("Ġ"):
            yield f"{word[:-1]} {word[-1]}"
    for word in words:
        if not word.startswith("Ġ"):
            yield from (f"{word[:at]} {word[at:]}" for at in range(1, len(word)))
