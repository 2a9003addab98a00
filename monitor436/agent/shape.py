"""Readers: functions that take a parsed value and return what it means, or say everything that is wrong with it.

A reader is built from smaller ones, and a problem carries its path down to the value. Scalars may be text as written.
"""

import re
from collections.abc import Callable

DAY = 86400.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY}
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)\Z")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?\Z")
REQUIRED = object()  # instead of a default
MAX_KNOWN = 200  # words that an unknown one is compared with: thousands of slips must not take minutes
UNKNOWN_KEY = "unknown key"  # how such a sentence begins: it is about the key, all others are about the value


class PlanError(Exception):
    """What was refused: `problems` is a list of (path, sentence), a path like ("checks", 2, "match", 0)."""

    def __init__(self, problems: "list[tuple[tuple[str | int, ...], str]]") -> None:
        super().__init__("; ".join(": ".join(filter(None, (dotted(path), says))) for path, says in problems))
        self.problems = problems


def wrong(sentence: str, *path: "str | int") -> PlanError:
    """One problem with the value at hand, or with what is at `path` inside it."""
    return PlanError([(path, sentence)])


def dotted(path: "tuple[str | int, ...]") -> str:
    """A path as people read it: checks.2.match.0."""
    return ".".join(str(step) for step in path)


def shown(value: object) -> str:
    """A value as a problem quotes it: text in double quotes, cut, with nothing in it that moves a cursor."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if not isinstance(value, str):
        return "nothing" if value is None else "{:.60}".format(repr(value))
    return '"{}{}"'.format(printable(value[:60]), "…" if len(value) > 60 else "")


def printable(text: str) -> str:
    """`text` with everything spelt out that would not show as a character, or would move others."""
    return "".join(letter if letter.isprintable() else "\\u{:04x}".format(ord(letter)) for letter in text)


def meant(word: str, known: "list[str]") -> str:
    """How a sentence about an unknown word ends: with the word that was meant, if one is near, or with those known."""
    import difflib  # only where something is wrong: it would stay resident on every host

    near = difflib.get_close_matches(word[:60], known[:MAX_KNOWN], 1)
    listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return 'did you mean "{}"?'.format(near[0]) if near else "known are {}".format(listed)


def seconds(text: str) -> float:
    """The seconds in a duration such as "500ms", "30s", "5m", "2h" or "1d". Raises ValueError with a sentence."""
    found = _DURATION.match(text)
    if found:
        return float(found.group(1)) * _UNITS[found.group(2)]
    hint = ': write "{}s" for seconds'.format(text) if _NUMBER.match(text[:20]) else ""
    raise ValueError('expected a duration such as "30s", got {}{}'.format(shown(text), hint))


def mapping(fields: "dict[str, tuple[Callable[..., object], object]]") -> "Callable[[object], dict[str, object]]":
    """A reader of mappings: name -> (reader, default). Missing fields get their default; unknown keys are problems."""

    def read_mapping(value: object) -> "dict[str, object]":
        if not isinstance(value, dict):
            raise wrong("expected a mapping, got {}".format(shown(value)))
        problems = []  # type: list[tuple[tuple[str | int, ...], str]]
        for key in value:
            if key not in fields:
                problems.append(((str(key),), UNKNOWN_KEY + "; " + meant(str(key), list(fields))))
        values = {}
        for key, (reader, default) in fields.items():
            values[key] = _inside(key, reader, value[key], problems) if key in value else default
            if values[key] is REQUIRED:
                problems.append(((), 'needs "{}"'.format(key)))
        if problems:
            raise PlanError(problems)
        return values

    return read_mapping


def items(
    reader: "Callable[..., object]", least: int, most: int, bare: bool = False
) -> "Callable[[object], tuple[object, ...]]":
    """A reader of lists of `least` to `most` items; where `bare`, a single text may stand without the list."""

    def read_items(value: object) -> "tuple[object, ...]":
        if bare and isinstance(value, str):
            return (reader(value),)
        if not isinstance(value, (list, tuple)):
            raise wrong("expected a list, got {}".format(shown(value)))
        if not least <= len(value) <= most:
            raise wrong("must not be empty" if not value else "has {} items, more than {}".format(len(value), most))
        problems = []  # type: list[tuple[tuple[str | int, ...], str]]
        read = tuple(_inside(number, reader, item, problems) for number, item in enumerate(value))
        if problems:
            raise PlanError(problems)
        return read

    return read_items


def _inside(
    step: "str | int",
    reader: "Callable[..., object]",
    value: object,
    problems: "list[tuple[tuple[str | int, ...], str]]",
) -> object:
    """What `reader` makes of a part; its problems are added with the step that leads there."""
    try:
        return reader(value)
    except PlanError as inner:
        problems.extend(((step, *path), says) for path, says in inner.problems)
        return None


def text(most: int) -> "Callable[[object], str]":
    """A reader of texts of 1 to `most` characters that a file name, a command or a pattern can hold."""

    def read_text(value: object) -> str:
        if not isinstance(value, str):
            raise wrong("expected text, got {}".format(shown(value)))
        if not 0 < len(value) <= most:
            raise wrong("must not be empty" if not value else "is longer than {} characters".format(most))
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise wrong("holds a character that no name, command or line has: {}".format(shown(value)))
        return value

    return read_text


def duration(least: float, most: float) -> "Callable[[object], float]":
    """A reader of durations: a number of seconds, or text with a unit."""

    def read_duration(value: object) -> float:
        length = value
        if isinstance(value, str):
            try:
                length = seconds(value)
            except ValueError as sentence:
                raise wrong(str(sentence)) from None
        if isinstance(length, bool) or not isinstance(length, (int, float)):
            raise wrong('expected a duration such as "30s", got {}'.format(shown(value)))
        if not least <= length <= most:
            raise wrong("must be {} to {}, got {}".format(spelt(least), spelt(most), shown(value)))
        return float(length)

    return read_duration


def spelt(length: float) -> str:
    """A number of seconds as text that `seconds` reads back: 90.0 is "90s", 3600.0 is "1h"."""
    unit = "ms"
    for name, worth in _UNITS.items():
        if length and length % worth == 0:
            unit = name
    return "{:.12g}{}".format(length / _UNITS[unit], unit) if length else "0s"


def one_of(what: str, choices: "list[str]") -> "Callable[[object], str]":
    """A reader of one word out of `choices`."""

    def read_choice(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise wrong("unknown {} {}; {}".format(what, shown(value), meant(str(value), choices)))
        return value

    return read_choice


def whole(least: int, most: int) -> "Callable[[object], int]":
    """A reader of whole numbers."""

    def read_whole(value: object) -> int:
        number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 20 else value
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
            raise wrong("expected a whole number, {} to {}, got {}".format(least, most, shown(value)))
        return number

    return read_whole


def flag(value: object) -> bool:
    """A reader of yes and no."""
    said = (
        value if isinstance(value, bool) else {"yes": True, "true": True, "no": False, "false": False}.get(str(value))
    )
    if said is None:
        raise wrong("expected yes or no, got {}".format(shown(value)))
    return said
