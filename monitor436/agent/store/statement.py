"""What a script may state, and what of it is an event: read with suspicion, within the bounds of a plan's events."""

import json
import math
import re

from monitor436.agent import event as stated

FOLDER = "inbox"  # in the state folder: where statements wait for the agent
MAX_FILES = 10000  # that a script finds room for
MAX_NAME = 64  # bytes of the name of a check
MAX_TAGS = 6
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,15}\Z")  # as in a plan
FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\Z")
MAX_FIELDS = 16
LATEST = 253402300799.0  # the last second of the year 9999, as the server takes it


class NotAnEvent(Exception):
    """What was read is no event; the text says why."""


def read(raw: bytes, now: float) -> "dict[str, object]":
    """The event in a file's content, whoever wrote it, within its bounds. Raises NotAnEvent."""
    try:
        tree = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise NotAnEvent("it is not JSON") from None
    if not isinstance(tree, dict):
        raise NotAnEvent("it is not a JSON object")
    at, text, fields, tags = tree.get("at", now), tree.get("text"), tree.get("fields", {}), tree.get("tags", [])
    if not _is_number(at) or not 0 <= at <= LATEST:
        raise NotAnEvent("its time is none")
    if not isinstance(text, str) or not text.strip():
        raise NotAnEvent("it says nothing")
    if tree.get("severity") not in stated.SEVERITIES:
        raise NotAnEvent("its severity is none of {}".format(", ".join(stated.SEVERITIES)))
    if not isinstance(fields, dict) or not isinstance(tags, list):
        raise NotAnEvent("its fields or tags are none")
    problem = slip(tree.get("check", ""), fields, tags)
    if problem:
        raise NotAnEvent(problem)
    fields = {
        name: stated.cut(each, stated.MAX_FIELDS) if isinstance(each, str) else each for name, each in fields.items()
    }
    return stated.event(stated.REPORTED, tree["severity"], text, at, tree.get("check", ""), fields, tuple(tags))


def slip(check: object, fields: "dict[str, object]", tags: "list[object]") -> str:
    """What is wrong with the name of a check, fields or tags that a script gave; empty if nothing is."""
    if not isinstance(check, str) or not (check.isprintable() and len(check.encode("utf-8", "replace")) <= MAX_NAME):
        return "the name of a check has at most {} bytes of printable text".format(MAX_NAME)
    if len(tags) > MAX_TAGS or not all(isinstance(tag, str) and TAG.match(tag) for tag in tags):
        return "at most {} tags, each of at most 16 letters, digits and . _ : / -".format(MAX_TAGS)
    if len(fields) > MAX_FIELDS or not all(FIELD.match(str(name)) for name in fields):
        return "at most {} fields, with names of letters, digits and . _ -".format(MAX_FIELDS)
    if not all(isinstance(value, (str, bool)) or _is_number(value) for value in fields.values()):
        return "fields hold text, numbers, true or false"
    return ""


def _is_number(value: object) -> bool:
    """A finite number that a reader of JSON in any language takes."""
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63 and math.isfinite(value)
    )
