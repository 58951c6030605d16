"""Which adapters an answer is computed with: those of the model."""

from __future__ import annotations

import msgspec

from ollapy.api.adapters import AdapterSet
from ollapy.runner.protocol import Chat, Complete, Embed, Question, Rerank


def adapted(question: Question, adapters: AdapterSet) -> Question:
    """The question, to be answered with these."""
    if isinstance(question, Chat | Complete | Embed | Rerank):
        return msgspec.structs.replace(question, adapters=adapters)
    return question
