"""What status pages say: a body becomes a status, statuses become sums by group. Pure.

A body is a JSON object. In the default question it has the texts `Application` and `Version` and the counts
`Success_Count`, `Request_Count` and `Error_Count`; whatever else it has is not looked at.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import json

from monitor436.agent.plan import shown
from monitor436.model.fleet.interval import MOST, Counted

APPLICATION, VERSION = "Application", "Version"
SUCCESS, REQUEST, ERROR = "Success_Count", "Request_Count", "Error_Count"
COUNTS = (SUCCESS, REQUEST, ERROR)
LONGEST = 200  # characters of a text by which is grouped: what a table can show
LARGEST = 1e300  # of a number: a sum over any fleet stays finite
HOWS = ("sum", "mean", "min", "max")
_PERCENTILE = re.compile(r"p(100|[0-9]{1,2}(?:\.[0-9]{1,3})?)")

Number = int | float


class StatusError(Exception):
    """Why a body is no status: `reason` "json" or "schema", and a sentence."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


class Wanted(NamedTuple):
    """One column: a field and what is made of its values: one of `HOWS`, or a percentile such as "p99"."""

    field: str
    how: str

    @property
    def column(self) -> str:
        """Its head: "Success_Count" for a sum, "Uptime p99" for others."""
        return self.field if self.how == "sum" else f"{self.field} {self.how}"


SUMS = tuple(Wanted(field, "sum") for field in COUNTS)


class Question(NamedTuple):
    """What a report wants to know: by which fields, which columns. A field in a nested object is "queue.depth".

    `counts`: a status without its counts is none. Else the success rate is told where a group has them.
    """

    by: tuple[str, ...] = (APPLICATION, VERSION)
    wanted: tuple[Wanted, ...] = SUMS
    counts: bool = True


class Status(NamedTuple):
    """What one target said: its group, its numbers by field, and its success rate if it tells counts."""

    group: tuple[str, ...]
    numbers: Mapping[str, Number]
    counted: Counted | None


class Sum(NamedTuple):
    """A group: how many statuses are in it, its columns, and its success rate if all of them told counts."""

    group: tuple[str, ...]
    hosts: int
    columns: dict[str, Number]
    counted: Counted | None


def read_wanted(text: str) -> list[Wanted]:
    """Columns such as "Uptime:mean,p99". Raises ValueError with a sentence."""
    field, colon, hows = text.rpartition(":")
    if not colon or not field:
        raise ValueError(f'expected a field and what is made of it, such as "Uptime:mean,p99", got {shown(text)}')
    for how in hows.split(","):
        if how not in HOWS and not _PERCENTILE.fullmatch(how):
            raise ValueError(f"expected {', '.join(HOWS)} or a percentile such as p99, got {shown(how)}")
    return [Wanted(field, how) for how in hows.split(",")]


def read_status(body: bytes, question: Question) -> Status:
    """What a body says of what is asked. Raises StatusError, and nothing else."""
    try:
        tree = json.decode(body)
    except RecursionError:
        raise StatusError("json", "the body is nested too deeply") from None
    except ValueError as wrong:
        text = "the body is empty" if not body.strip() else f"the body is not JSON: {wrong}"
        raise StatusError("json", text) from None
    if not isinstance(tree, dict):
        raise StatusError("schema", f"the body is {_what(tree)}, expected a JSON object")
    group = tuple(_text(tree, field) for field in question.by)
    numbers = {field: _number(tree, field) for field in dict.fromkeys(each.field for each in question.wanted)}
    return Status(group, numbers, _counted(tree, question.counts))


def sums(statuses: Iterable[Status], question: Question) -> list[Sum]:
    """Statuses by group, in the order of `natural`."""
    groups: dict[tuple[str, ...], list[Status]] = {}
    for status in statuses:
        groups.setdefault(status.group, []).append(status)
    return [_sum(group, groups[group], question) for group in sorted(groups, key=_order)]


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts as people count: "1.9" before "1.10", "2.0-rc1" before "2.0", "2.0" before "2.0.1"."""
    parts = re.findall(r"[0-9]+|[^\W\d_]+", text)
    return (*((2, int(part), "") if part[0] in "0123456789" else (0, 0, part) for part in parts), (1, 0, text))


def percentile(values: list[Number], percent: float) -> Number:
    """The smallest of `values` (sorted, at least one) that so many percent are not above: the nearest rank.

    It is always a value that was told. R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The
    American Statistician 50 (1996), definition 1; numpy calls it "inverted_cdf".
    """
    return values[max(0, math.ceil(percent * len(values) / 100) - 1)]


def _order(group: tuple[str, ...]) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    return tuple(natural(part) for part in group)


def _sum(group: tuple[str, ...], statuses: list[Status], question: Question) -> Sum:
    columns = {
        wanted.column: _made(wanted.how, [status.numbers[wanted.field] for status in statuses])
        for wanted in question.wanted
    }
    told = [status.counted for status in statuses if status.counted]
    all_told = len(told) == len(statuses)
    counted = Counted(sum(each.well for each in told), sum(each.of for each in told)) if all_told else None
    return Sum(group, len(statuses), columns, counted)


def _made(how: str, values: list[Number]) -> Number:
    if how in ("sum", "mean"):
        whole = sum(values) if all(isinstance(value, int) for value in values) else math.fsum(values)
        return whole if how == "sum" else whole / len(values)
    if how in ("min", "max"):
        return min(values) if how == "min" else max(values)
    return percentile(sorted(values), float(how[1:]))


def _find(tree: Mapping[str, object], field: str) -> Iterator[object]:
    """What stands at a field, nothing if it is not there: a key as it is, or one of a nested object."""
    if field in tree:
        yield tree[field]
        return
    first, dot, rest = field.partition(".")
    inner = tree.get(first)
    if dot and isinstance(inner, dict):
        yield from _find(inner, rest)


def _value(tree: Mapping[str, object], field: str) -> object:
    for found in _find(tree, field):
        return found
    raise StatusError("schema", f"the body has no {field}")


def _text(tree: Mapping[str, object], field: str) -> str:
    value = _value(tree, field)
    text = str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else value
    if not isinstance(text, str):  # 1.10 would be taken for 1.1
        raise StatusError("schema", f"{field} is {_what(value)}, expected a text")
    if not 1 <= len(text) <= LONGEST:
        raise StatusError("schema", f"{field} has {len(text)} characters, expected 1 to {LONGEST}")
    return text


def _number(tree: Mapping[str, object], field: str) -> Number:
    value = _value(tree, field)
    if field in COUNTS:
        return _count(value, field)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StatusError("schema", f"{field} is {_what(value)}, expected a number")
    if not abs(value) <= LARGEST:
        raise StatusError("schema", f"{field} is out of all bounds")
    return value


def _count(value: object, field: str) -> int:
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    if not whole:
        raise StatusError("schema", f"{field} is {_what(value)}, expected a whole number")
    assert isinstance(value, int | float)
    if not 0 <= value <= MOST:
        raise StatusError("schema", f"{field} is {_what(value)}, expected 0 to {MOST}")
    return int(value)


def _counted(tree: Mapping[str, object], needed: bool) -> Counted | None:
    """The success rate of one status. More successes than requests are no rate: one such host would spoil the sum."""
    if not needed and not all(field in tree for field in (SUCCESS, REQUEST)):
        return None
    well, of = (_count(_value(tree, field), field) for field in (SUCCESS, REQUEST))
    if well > of:
        rate = f", which is {100 * well / of:.4g} %" if of else ""
        raise StatusError("schema", f"{SUCCESS} is {well} of {of} in {REQUEST}{rate}")
    return Counted(well, of)


def _what(value: object) -> str:
    """A JSON value as a sentence names it."""
    if isinstance(value, dict):
        return "a JSON object"
    if isinstance(value, list):
        return "a JSON list"
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if abs(value) <= MOST else f"a number of {len(str(value))} digits"
    return f"{value:.6g}"
