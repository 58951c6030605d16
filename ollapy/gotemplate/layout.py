"""Layout: how `printf` is to write one value."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Layout:
    """A verb with its flags; `precision` is None where none is given."""

    flags: str
    width: int
    precision: int | None
    verb: str

    @property
    def plain(self) -> Layout:
        """The same for a value in the place of one that the verb is not for."""
        return replace(self, verb="v")

    def cut(self, text: str) -> str:
        """As many characters as the precision says."""
        return text if self.precision is None else text[: self.precision]

    def padded(self, text: str, *, zeros: bool = True) -> str:
        """The text in its width, filled with zeros where the flags say so and `zeros` may be."""
        if "-" in self.flags:
            return text.ljust(self.width)
        return text.rjust(self.width, "0" if zeros and "0" in self.flags else " ")

    def number(self, sign: str, digits: str) -> str:
        """A number in its width; zeros come after its sign."""
        if "0" in self.flags and "-" not in self.flags:
            return sign + digits.rjust(self.width - len(sign), "0")
        return self.padded(sign + digits)

    def sign(self, *, is_negative: bool) -> str:
        """What stands before a number."""
        if is_negative:
            return "-"
        return "+" if "+" in self.flags else " " if " " in self.flags else ""
