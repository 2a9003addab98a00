"""A target on its way to a worker, and what the worker brings home: as JSON, read as one reads what strangers wrote.

Pure.
"""

import re
from typing import NamedTuple

from msgspec import DecodeError, json, structs

from monitor436.model.fleet.interval import MOST as LARGEST_COUNT
from monitor436.model.fleet.report import Failure
from monitor436.model.fleet.statuses import COUNTS, LARGEST, LONGEST, Question, Status

Told = tuple[Status, float] | Failure  # what a target said and the seconds it took, or why it did not
LOST = "lost"  # the class of a target that no worker brought home
MOST = 1 << 16  # bytes of either
PORTS = range(1, 65536)
_REASON = re.compile("[a-z_]{1,40}")


class Asked(NamedTuple):
    """Who is asked, as an inventory lists it."""

    name: str
    url: str
    host: str
    port: int


class Errand(NamedTuple):
    """What a worker needs to know."""

    asked: Asked
    question: Question


def read_errand(body: bytes) -> Errand:
    """Who is asked, and what. Raises ValueError with a sentence."""
    try:
        errand = json.decode(_small(body), type=Errand)
    except DecodeError as wrong:
        raise ValueError(f"it is no errand of a report: {wrong}") from None
    if errand.asked.port not in PORTS:
        raise ValueError(f"it is no errand of a report: port {errand.asked.port}")
    return errand


def as_json(what: Errand | Told) -> bytes:
    """For the way there, or the way home."""
    return json.encode(what)


def read_told(body: bytes, asked: Asked, question: Question) -> Told:
    """What a worker brought home of a target; a failure if that is no answer to the question."""
    try:
        told: Told = json.decode(_small(body), type=Told)
    except ValueError as wrong:
        return Failure(asked.name, asked.url, "protocol", f"a worker brought no answer of it: {wrong}", 0.0)
    if isinstance(told, Failure):
        told = structs.replace(told, host=asked.name, url=asked.url)
        fits = bool(_REASON.fullmatch(told.reason)) and told.text.isprintable() and told.seconds >= 0
    else:
        fits = _answers(told[0], question) and told[1] >= 0
    if fits:
        return told
    return Failure(asked.name, asked.url, "protocol", "a worker brought an answer to another question", 0.0)


def _answers(status: Status, question: Question) -> bool:
    """Whether a status is one that `read_status` could have given."""
    group, numbers, counted = status
    return (
        len(group) == len(question.by)
        and all(1 <= len(text) <= LONGEST for text in group)
        and set(numbers) == {each.field for each in question.wanted}
        and all(abs(value) <= LARGEST for value in numbers.values())
        and all(0 <= value <= LARGEST_COUNT for field, value in numbers.items() if field in COUNTS)
        and (counted is None or 0 <= counted.well <= counted.of <= LARGEST_COUNT)
    )


def _small(body: bytes) -> bytes:
    if len(body) > MOST:
        raise ValueError(f"it has {len(body):,} bytes, more than {MOST:,}")
    return body
