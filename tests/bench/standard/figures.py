"""What a figure is: a number that a case gives, with its unit, its target and
the ceiling it is a share of.

SPDX-License-Identifier: MIT
"""

from dataclasses import dataclass
from typing import Callable, Optional, Union


def at(result, path):
    """The number at "a.b.c" in nested results; None where there is none."""
    for key in path.split("."):
        result = result.get(key) if isinstance(result, dict) else None
    return result if isinstance(result, (int, float)) else None


@dataclass(frozen=True)
class Figure:
    """`value` is a path into the case's result, or a function of the result
    and of all results. `target` is (">=" or "<=", number). `ceiling` names a
    bare step; for a time it is the least it could take."""
    label: str
    value: Union[str, Callable]
    unit: str
    target: Optional[tuple] = None
    ceiling: Optional[str] = None

    def take(self, result, results):
        if callable(self.value):
            try:
                return self.value(result, results)
            except (KeyError, TypeError, ZeroDivisionError):
                return None
        return at(result, self.value)

    def measured(self, result, results):
        """The figure as it stands in results.json."""
        value = self.take(result, results)
        met = share = None
        if value is not None and self.target is not None:
            met = value >= self.target[1] if self.target[0] == ">=" \
                else value <= self.target[1]
        bare = results["ceilings"].get(self.ceiling)
        if value and bare:
            share = bare / value if self.unit == "ms" else value / bare
        return {"label": self.label, "value": value, "unit": self.unit,
                "target": self.target, "met": met, "ceiling": self.ceiling,
                "share": share}


def ms(path):
    """A time of parley-load's, which counts in microseconds, in ms."""
    def take(result, _):
        value = at(result, path)
        return None if value is None else value / 1000
    return take


def ratio(above, below):
    """Of two numbers of one result."""
    return lambda result, _: at(result, above) / at(result, below)


def to_case(path, case, path_there=None):
    """A number as a share of another case's."""
    return lambda result, results: at(result, path) / at(
        results["cases"][case]["result"], path_there or path)


def shown(value, unit):
    if value is None:
        return "not measured"
    if unit == "ms":
        return f"{value:.2f} ms" if value < 100 else f"{value:,.0f} ms"
    if unit == "s":
        return f"{value:.2f} s"
    if unit == "%":
        return f"{value * 100:.1f} %"
    if unit == "KiB":
        return f"{value:.2f} KiB"
    if unit == "x":
        return f"{value:.2f} times"
    return f"{value:,.0f}{unit}"


def shown_target(target, unit):
    if target is None:
        return ""
    how = "" if target[0] == ">=" else "under "
    more = " or more" if target[0] == ">=" else ""
    number = f"{target[1]:g}" if unit in ("ms", "s", "KiB", "x") \
        else f"{target[1] * 100:g}" if unit == "%" else f"{target[1]:,}"
    words = {"x": " times", "/s": "/s"}.get(unit, f" {unit}")
    return f"{how}{number}{words}{more}"
