"""What a request of another API sets, in the terms of Ollama's. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from ollapy.api.ollama import Tool
from ollapy.api.openai import ImageUrl, InputAudio, TextRequest
from ollapy.api.own import OwnFields
from ollapy.errors import InvalidRequest, OutOfRange, Unsupported

MAX_CHOICES = 32
_IMAGE = re.compile(
    r"data:(?:image/(?:jpeg|jpg|png|webp|gif|bmp))?;base64,(.+)", re.DOTALL
)
_EFFORTS: dict[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "max": "max",
    "xhigh": "max",
    "ultra": "max",
}


def own(request: OwnFields) -> dict[str, Any]:
    """The fields that mean the same there and here; nothing is truncated unless that is asked for."""
    if not request.model:
        raise InvalidRequest("model is required")
    return {
        "model": request.model,
        "keep_alive": request.keep_alive,
        "truncate": bool(request.truncate),
        "priority": request.priority,
    }


def options(request: TextRequest, max_tokens: int | None) -> dict[str, Any]:
    """Ollama's options, with what the request names in its own terms over them."""
    stop = request.stop
    named = {
        "num_ctx": request.num_ctx,
        "num_predict": max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "frequency_penalty": request.frequency_penalty,
        "presence_penalty": request.presence_penalty,
        "seed": request.seed,
        "stop": [stop] if isinstance(stop, str) else stop,
    }
    return over(request.options, named)


def over(given: dict[str, Any] | None, named: dict[str, Any]) -> dict[str, Any]:
    """The options given, and over them those that are named and not null."""
    return {**(given or {}), **{k: v for k, v in named.items() if v is not None}}


def seeded(options: dict[str, Any], index: int) -> dict[str, Any]:
    """The options of one of several choices, which are to differ also where they have a seed."""
    seed = options.get("seed")
    return {**options, "seed": seed + index} if isinstance(seed, int) else options


def num_choices(name: str, wanted: int | None) -> int:
    """How many answers, within reason; None is one."""
    count = 1 if wanted is None else wanted
    if not 1 <= count <= MAX_CHOICES:
        raise OutOfRange(name, 1, MAX_CHOICES)
    return count


def think(effort: str | None) -> bool | str | None:
    """How hard to think, None where the model decides."""
    if effort is None:
        return None
    if effort not in _EFFORTS:
        names = ", ".join(f'"{name}"' for name in _EFFORTS)
        raise InvalidRequest(
            f'invalid reasoning value: "{effort[:40]}" (must be one of {names})'
        )
    return _EFFORTS[effort]


def image(given: ImageUrl | str | None) -> str:
    """An image's base64 out of its `data:` URL."""
    url = given.url if isinstance(given, ImageUrl) else given or ""
    if found := _IMAGE.fullmatch(url):
        return found[1]
    if url.startswith(("http://", "https://")):
        raise Unsupported(
            "image URLs are not currently supported, please use base64 encoded data instead"
        )
    raise InvalidRequest(
        "invalid image input, it must be a data: URL of a jpeg, png, webp or gif image"
    )


def audio(given: InputAudio | None) -> str:
    """A sound's base64."""
    if given is None or not given.data:
        raise InvalidRequest("invalid input_audio format: missing data")
    return given.data


def arguments(text: str | None) -> dict[str, Any]:
    """A call's arguments out of their JSON text, of which none at all are none."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidRequest("invalid tool call arguments, they must be a JSON object")
    return found


def tool(name: Any, description: Any, parameters: Any, where: str, **more: Any) -> Tool:
    """A tool in the shape that templates know, checked."""
    if not isinstance(name, str) or not name:
        raise InvalidRequest(f"{where} has no name")
    if parameters is not None and not isinstance(parameters, dict):
        raise InvalidRequest(f"{where}: the parameters must be a JSON Schema object")
    function: dict[str, Any] = {"name": name}
    if description is not None:
        function["description"] = description
    function["parameters"] = parameters or {"type": "object", "properties": {}}
    function |= {key: value for key, value in more.items() if value is not None}
    return {"type": "function", "function": function}
