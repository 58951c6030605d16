"""Format: where thoughts, text and calls stand in a model's answers. Plain data, sent between processes."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from ollapy.chat.sample import Sample

Pair = tuple[str, str]


class Style(StrEnum):
    """How a call is spelled."""

    JSON = "json"  # an object with the name and the arguments in it
    HEADED = "headed"  # the name, then a JSON object of arguments
    TAGGED = "tagged"  # the name and each argument in tags of their own
    PYTHON = "python"  # f(a='x'), in a list or one a line
    GEMMA = "gemma"  # call:f{a:<|"|>x<|"|>}


class Calls(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One way to write calls.

    `start` opens one call or several, and `end` closes them; without an `end` they are over when
    something else follows. `each` are tags around every one of them, `head` is a pattern with the
    groups `name` and perhaps `id`, `argument` one with `key`, `value` and perhaps `text`, which says
    that the value is a string. With `leads` a call is one only at the beginning of an answer, and only of a
    tool that was given: what opens it may as well be text. `extra` are other control tokens that stand
    inside. With `item` lists and objects are in tags of their own as well, an item of a list in those of that
    name.
    """

    start: str
    end: str = ""
    each: Pair = ("", "")
    style: Style = Style.JSON
    head: str = ""
    argument: str = ""
    leads: bool = False
    extra: tuple[str, ...] = ()
    item: str = ""


class Headers(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An answer that is a row of messages, each with a header that says what it is.

    A header goes from one of `starts` to `end`, a message to one of `closes` or the next header. `thinking` and
    `call` are patterns of headers, the latter with a group `name`, and `text` one of those that head text: a header that
    is none of them is text itself. A call's message is a JSON object of its arguments, or with `calls` as that
    says. `thought` is what begins an answer with a thought, `answer` what ends that and begins the rest, and
    `turn` what ends it where a call follows. `told` is what text begins with where its header has begun. `sample` is how a model writes its calls, known by `called`.
    """

    starts: tuple[str, ...]
    end: str
    call: str
    thinking: str = ""
    text: str = ""
    thought: str = ""
    answer: str = ""
    turn: str = ""
    told: str = ""
    called: str = ""
    sample: Sample | None = None
    closes: tuple[str, ...] = ()
    calls: Calls | None = None
    extra: tuple[str, ...] = ()


class Format(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How one model writes. `dropped` are tags around its text that mean nothing to a reader."""

    thought: Pair | None = None
    calls: tuple[Calls, ...] = ()
    headers: Headers | None = None
    dropped: tuple[str, ...] = ()

    @property
    def thinks(self) -> bool:
        """Whether thoughts can be told from text."""
        return self.thought is not None or bool(self.headers and self.headers.thinking)

    @property
    def start_of_thought(self) -> str:
        """The text with which an answer begins that is a thought first; empty for a model without any."""
        if self.thought:
            return self.thought[0]
        return self.headers.thought if self.headers else ""

    @property
    def tag_after_thought(self) -> str:
        """The text by which the end of a thought is known, where the answer begins."""
        return self.end_of_thought.strip()

    @property
    def end_of_thought(self) -> str:
        """The text that ends a thought and leads to the answer; empty for a model without any."""
        if self.thought:
            return f"\n{self.thought[1]}\n\n"
        return self.headers.answer if self.headers else ""

    def ends_of_thought(self, *, may_call: bool, must_call: bool) -> list[str]:
        """What to say where a thought has grown too long, and then where another follows it.

        A call that is a message cannot come where the answer's header stands already.
        """
        if not (self.headers and may_call):
            return [self.end_of_thought]
        turn, answer = self.headers.turn, self.headers.answer
        return [turn] if must_call else [turn, answer]

    @property
    def markers(self) -> tuple[str, ...]:
        """All that must be seen in the text, also where it is a control token."""
        found = [*self.dropped, *(self.thought or ())]
        calls = [*self.calls]
        if self.headers:
            headers = self.headers
            found += [*headers.starts, headers.end, *headers.closes, *headers.extra]
            calls += [headers.calls] if headers.calls else []
        for call in calls:
            found += [call.start, call.end, *call.each, *call.extra]
        return tuple(dict.fromkeys(filter(None, found)))
