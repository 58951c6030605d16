"""Untrusted text made safe to show: for a terminal or log, where control characters are commands."""

from __future__ import annotations

import re

# C0 and C1 controls, line separators, and the marks that reorder what is written after them.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean(text: str, *, keep: str = "") -> str:
    """The text with its control characters written as escapes, those in `keep` left alone."""
    return _CONTROL.sub(
        lambda c: c[0] if c[0] in keep else c[0].encode("unicode_escape").decode(), text
    )
