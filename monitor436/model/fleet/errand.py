"""A target on its way to a worker, and what the worker brings home: as JSON, read as one reads what strangers wrote.

Pure.
"""

from typing import NamedTuple

from msgspec import DecodeError, json, structs

from monitor436.model.fleet.report import Failure
from monitor436.model.fleet.statuses import Question, Status

Told = tuple[Status, float] | Failure  # what a target said and the seconds it took, or why it did not
LOST = "lost"  # the class of a target that no worker brought home
MOST = 1 << 16  # bytes of either


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
        return json.decode(_small(body), type=Errand)
    except DecodeError as wrong:
        raise ValueError(f"it is no errand of a report: {wrong}") from None


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
        return structs.replace(told, host=asked.name, url=asked.url)
    fields = {each.field for each in question.wanted}
    if len(told[0].group) != len(question.by) or set(told[0].numbers) != fields:
        return Failure(asked.name, asked.url, "protocol", "a worker brought an answer to another question", 0.0)
    return told


def _small(body: bytes) -> bytes:
    if len(body) > MOST:
        raise ValueError(f"it has {len(body):,} bytes, more than {MOST:,}")
    return body
