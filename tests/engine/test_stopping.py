from __future__ import annotations

import random

from ollapy.engine.detokenizer import Detokenizer
from ollapy.engine.stopping import StopStrings


def said(stops: tuple[str, ...], pieces: list[str]) -> tuple[str, str]:
    watch = StopStrings(stops)
    text = "".join(watch.feed(piece) for piece in pieces)
    return text + watch.finish(), watch.matched


def test_text_before_a_stop_string_whatever_the_pieces() -> None:
    """The same text comes out however it was cut, and nothing of the stop string with it."""
    text, rng = "The sum is 42.\nUser: and then more", random.Random(1)
    for _ in range(200):
        cuts = sorted(rng.sample(range(len(text)), 5))
        pieces = [
            text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)
        ]

        assert said(("\nUser:", "never"), pieces) == ("The sum is 42.", "\nUser:")


def test_a_beginning_that_never_becomes_a_stop_string_is_let_out_at_the_end() -> None:
    assert said(("</end>",), ["text </e"]) == ("text </e", "")


def test_nothing_is_held_back_longer_than_the_ambiguity_lasts() -> None:
    watch = StopStrings(("STOP",))

    assert watch.feed("so ST") == "so "
    assert watch.feed("R") == "STR"


def test_text_after_the_stop_string_is_swallowed() -> None:
    watch = StopStrings(("b",))

    assert [watch.feed("ab"), watch.feed("c"), watch.finish()] == ["a", "", ""]


def test_characters_split_over_tokens_come_out_whole() -> None:
    """🦙 is four bytes; a byte that is no UTF-8 becomes U+FFFD, as does a character cut by the end."""
    detokenizer = Detokenizer()
    pieces = [detokenizer.feed(bytes([byte])) for byte in "a🦙".encode() + b"\xff\xf0"]

    assert pieces == ["a", "", "", "", "🦙", "\ufffd", ""]
    assert detokenizer.finish() == "\ufffd"
