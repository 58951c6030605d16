"""Anthropic's wire types."""

from __future__ import annotations

from typing import Literal

import msgspec


class Error(msgspec.Struct, frozen=True):
    """Why a request failed."""

    type: str
    message: str


class ErrorResponse(msgspec.Struct, frozen=True):
    """The answer to a request that failed, and without an id the last event of a stream that did."""

    error: Error
    request_id: str
    type: Literal["error"] = "error"
