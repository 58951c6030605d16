"""The tool that the tiny model was taught, as each API has it, and one that takes numbers within bounds."""

from __future__ import annotations

from typing import Any

FUNCTION: dict[str, Any] = {
    "name": "get_weather",
    "description": "Get the current weather for a location",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "The city name"}},
        "required": ["location"],
    },
}
WEATHER: dict[str, Any] = {"type": "function", "function": FUNCTION}

FORECAST: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"days": {"type": "integer", "minimum": 1, "maximum": 9}},
            "required": ["days"],
        },
    },
}
