"""Floating-point numbers as texts, with as few digits as tell them from others."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import isfinite, isnan


def printed_float(value: float) -> str:
    """As Go prints it: with an exponent from 1e+06 on, and below 0.0001."""
    if isnan(value):
        return "NaN"
    if not isfinite(value):
        return "+Inf" if value > 0 else "-Inf"
    parts = _Parts.of(value)
    return parts.plain if -4 <= parts.power < 6 else parts.scientific


def json_float(value: float) -> str:
    """As Go's JSON has it; infinities, of which JSON knows nothing, as nothing."""
    if not isfinite(value):
        return "null"
    parts = _Parts.of(value)
    if value == 0 or -6 <= parts.power < 21:
        return parts.plain
    return parts.scientific.replace("e-0", "e-")


@dataclass(frozen=True, slots=True)
class _Parts:
    sign: str
    digits: str
    power: int  # of ten, of the first digit

    @classmethod
    def of(cls, value: float) -> _Parts:
        sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
        assert isinstance(exponent, int)  # others are not finite
        text = "".join(map(str, digits))
        return cls("-" if sign else "", text, len(text) - 1 + exponent)

    @property
    def plain(self) -> str:
        digits, power = self.digits, self.power
        if power < 0:
            return f"{self.sign}0.{'0' * (-power - 1)}{digits}"
        fraction = digits[power + 1 :]
        whole = digits[: power + 1].ljust(power + 1, "0")
        return f"{self.sign}{whole}.{fraction}" if fraction else f"{self.sign}{whole}"

    @property
    def scientific(self) -> str:
        digits, sign = self.digits, "-" if self.power < 0 else "+"
        fraction = f".{digits[1:]}" if digits[1:] else ""
        return f"{self.sign}{digits[0]}{fraction}e{sign}{abs(self.power):02}"
