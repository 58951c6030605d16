"""Template: a text in Go's template language, parsed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ollapy.errors import InvalidRequest

from . import inspection
from .budget import Budget
from .errors import template_error
from .execution import execute
from .functions import FUNCTIONS
from .parser import parse
from .tree import Action, Block, Command, Field, Pipe

MAX_SOURCE = 256 << 10  # characters


@dataclass(frozen=True)
class Template:
    """What can be executed and looked at; thread-safe. `blocks` are the templates by name, its own under ""."""

    blocks: Mapping[str, Block]

    @classmethod
    def parse(cls, source: str) -> Template:
        """InvalidRequest says where Go would refuse the text."""
        if len(source) > MAX_SOURCE:
            raise InvalidRequest(
                f"template error: it has {len(source)} characters, more than {MAX_SOURCE}"
            )
        try:
            return cls(parse(source, FUNCTIONS))
        except RecursionError:
            raise template_error(1, "it is nested too deep") from None

    def execute(self, data: object, budget: Budget | None = None) -> str:
        """The text it makes of the data; InvalidRequest where it fails or wants more than the budget."""
        return execute(self.blocks, data, budget or Budget())

    @cached_property
    def names(self) -> frozenset[str]:
        """The fields that it asks for anywhere, in lower case."""
        return inspection.names(self.blocks)

    def ending_with(self, field: str) -> Template:
        """The template with the field written at its end."""
        term = Field((field,), 1)
        pipe = Pipe((Command((term,), 1),), (), False, 1)
        nodes = (*self.blocks[""].nodes, Action(pipe, 1))
        return self._with(Block(nodes))

    def up_to(self, field: str) -> Template:
        """The template without what follows the place where the field is first written."""
        return self._with(inspection.up_to(self.blocks[""], field))

    def _with(self, block: Block) -> Template:
        return Template({**self.blocks, "": block})
