"""Prompts that nobody has seen before: seeded random words, so that each target of a round gets the same."""

from __future__ import annotations

from random import Random

_LIST = """
able apple arm autumn bag ball bank bath bear bell bird boat bone book bottle box branch bread bridge brother
cake candle card carpet cat chain chair cheese circle city clock cloud coat coffee corner cotton country cow
cup curtain daughter desk dinner doctor dog door dream dress drum dust ear earth engine evening eye face
family farm feather field finger fire fish floor flower foot forest fork friend fruit garden gate girl glass
glove goat gold grass hair hammer hand harbour hat head heart hill horse hospital hour house ice island jacket
journey key king kitchen knee knife lake lamp leaf leg letter library light lion lip lock lunch machine map
market meat milk mirror money month moon morning mother mountain mouth music nail neck needle night nose nut
office orange oven page paper park pen pencil picture pig plate pocket potato prison queen rain ring river
road roof room root sail salt sand school sea seed sheep ship shirt shoe silver sister skin sky snow soap sock
soup spoon spring square stamp star station stick stone street summer sun table tail teacher thread thumb
ticket tooth town train tree umbrella village voice wall watch water weather wheel whistle wind window wine
wing winter woman wood wool word worm year
"""
_WORDS = _LIST.split()


class Words:
    """An endless supply; equal seeds give equal words."""

    def __init__(self, *seed: object) -> None:
        self._random = Random("/".join(map(str, seed)))

    def text(self, num_words: int) -> str:
        """The next words, as a text."""
        return " ".join(self._random.choices(_WORDS, k=num_words))

    def texts(self, count: int, num_words: int) -> list[str]:
        """As many such texts."""
        return [self.text(num_words) for _ in range(count)]
