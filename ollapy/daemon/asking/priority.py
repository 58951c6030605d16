"""Priority: whether a request lets others go first. Pure."""

from __future__ import annotations

from ollapy.api.ollama import EmbedRequest, InferenceRequest
from ollapy.api.text import RerankRequest
from ollapy.errors import InvalidRequest


def is_background(
    request: InferenceRequest | EmbedRequest | RerankRequest, *, default: bool = False
) -> bool:
    """Whether others go first."""
    if request.priority not in (None, "interactive", "background"):
        raise InvalidRequest('priority must be "interactive" or "background"')
    return request.priority == "background" if request.priority else default
