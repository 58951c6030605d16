"""StopStrings: text let through only once it cannot be the beginning of a stop string."""

from __future__ import annotations

from ollapy.markers import split


class StopStrings:
    """Watches a text for the first of several stop strings; none of a stop string is ever let through."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._held = ""
        self.matched = ""

    def feed(self, text: str) -> str:
        """The part of the text so far that is certain; all before the stop string once one matched."""
        if self.matched or not self._stops:
            return "" if self.matched else text
        certain, stop, rest = split(self._held + text, self._stops)
        self.matched = stop or ""
        self._held = "" if self.matched else rest
        return certain

    def finish(self) -> str:
        """What was held back, now that nothing follows."""
        held, self._held = self._held, ""
        return held
