"""The interactive session of `ollapy run`."""

from .conversation import Conversation
from .session import Session

__all__ = ["Conversation", "Session"]
