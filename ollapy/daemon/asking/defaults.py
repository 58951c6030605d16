"""What a request says nothing about, as the settings file has it for the model. Pure."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from ollapy.api.ollama import InferenceRequest
from ollapy.errors import InvalidName
from ollapy.names import ModelName
from ollapy.settings import Settings
from ollapy.settings.models import ModelDefaults

R = TypeVar("R", bound=msgspec.Struct)


def filled(request: R, settings: Settings) -> R:
    """The request with the defaults of its model where it has none of its own."""
    try:
        name = ModelName.parse(getattr(request, "model", ""))
    except InvalidName:  # whoever looks for the model says so
        return request
    found = _gaps(request, settings.defaults_of(name))
    return msgspec.structs.replace(request, **found) if found else request


def _gaps(request: msgspec.Struct, defaults: ModelDefaults) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if defaults.keep_alive is not None and getattr(request, "keep_alive", 0) is None:
        found["keep_alive"] = defaults.keep_alive
    if defaults.options and hasattr(request, "options"):
        found["options"] = {**defaults.options, **(request.options or {})}
    if not isinstance(request, InferenceRequest) or defaults.think is None:
        return found
    if request.think is None:
        found |= {"think": defaults.think, "think_if_able": True}
    return found
