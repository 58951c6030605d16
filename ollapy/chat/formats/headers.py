"""Families whose answers are rows of messages with headers."""

from __future__ import annotations

from ollapy.chat.sample import Part, Sample

from .calls import invoke
from .format import Headers

# As the models write them; templates of theirs put the recipient before the channel.
_HARMONY_CALL = Sample(
    lead="<|channel|>commentary to=functions.",
    unit=(
        (Part.NAME, ""),
        (
            Part.PATTERN,
            r"( ?<\|channel\|>commentary( json| ?<\|constrain\|>json)?| ?<\|constrain\|>json)?<\|message\|>",
        ),
        (Part.ARGUMENTS, ""),
    ),
    between=None,
    tail="<|call|>",
)

HEADERS: tuple[Headers, ...] = (
    # Harmony: <|channel|>analysis<|message|>…<|end|><|start|>assistant to=functions.f<|channel|>…
    Headers(
        starts=("<|start|>", "<|channel|>"),
        end="<|message|>",
        thinking=r"<\|channel\|>analysis(?!.*to=)",
        call=r"to=(?:functions\.)?(?P<name>(?!assistant)[^\s<]+)",
        thought="<|channel|>analysis<|message|>",
        answer="<|end|><|start|>assistant<|channel|>final<|message|>",
        turn="<|end|><|start|>assistant",
        called="to=functions.",
        sample=_HARMONY_CALL,
        closes=("<|end|>", "<|call|>", "<|return|>"),
        extra=("<|constrain|>",),
    ),
    # Glimmer: <|start|>assistant to=self<|message|>…<|eom|>
    Headers(
        starts=("<|start|>",),
        end="<|message|>",
        thinking=r"to=self\b",
        call=r"to=(?P<name>(?!self\b|user\b)[^\s<]+)",
        thought=" to=self<|message|>",
        answer="<|eom|><|start|>assistant to=user<|message|>",
        turn="<|eom|><|start|>assistant",
        closes=("<|eom|>", "<|eot|>"),
        calls=invoke("<atem:function_calls>", "</atem:function_calls>", "atem:"),
    ),
    # Functionary 3.2: >>>all\n…>>>f\n{…}
    Headers(
        starts=(">>>",),
        end="\n",
        call=r"^>>>(?P<name>(?!all$)[\w.-]+)$",
        text=r"^>>>all$",
        told="all\n",
    ),
)
