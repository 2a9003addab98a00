"""What a Nagios plug-in prints: a sentence, and performance data as numbers.

The format is that of the plug-in development guidelines (nagios-plugins.org/doc/guidelines.html, AEN200):
`TEXT | 'label'=value[unit];[warn];[crit];[min];[max] ...`, and more of it after a "|" in later lines.
"""

import re
from collections.abc import Iterator

_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][-+]?[0-9]+)?")
_WORD = re.compile(r"[^\s=]*")
_REST = re.compile(r"\S*\s*")  # of an item, up to the next one


def sentence(output: str) -> str:
    """The first line, without the performance data."""
    return output.lstrip().split("\n", 1)[0].partition("|")[0].strip()


def numbers(output: str) -> "dict[str, float]":
    """The values by their labels, in their order, as they are printed; thresholds and what is undetermined left out."""
    first, _, later = output.lstrip().partition("\n")
    found = {}  # type: dict[str, float]
    for part in (first.partition("|")[2], later.partition("|")[2]):
        for label, value in _items(part.strip()):
            found.setdefault(label, value)
    return found


def number(printed: str) -> float:
    """A number as it was printed: a whole one without a point stays whole. Raises ValueError for anything else."""
    try:
        return int(printed) if len(printed) < 16 else float(printed)
    except ValueError:
        return float(printed)


def _items(data: str) -> "Iterator[tuple[str, float]]":
    at = 0
    while at < len(data):
        label, end = _label(data, at)
        found = _NUMBER.match(data, end + 1) if data[end : end + 1] == "=" else None
        if found and label:
            yield label, number(found.group().replace(",", "."))
        at = _REST.match(data, end).end()  # type: ignore[union-attr]


def _label(data: str, at: int) -> "tuple[str, int]":
    """The label that begins at a place, and where it ends; in quotes there may be anything, and '' is a quote."""
    if data[at] == "'":
        quote = data.find("'", at + 1)
        while data[quote : quote + 2] == "''":
            quote = data.find("'", quote + 2)
        if quote > 0:
            return data[at + 1 : quote].replace("''", "'").strip(), quote + 1
    word = _WORD.match(data, at).group()  # type: ignore[union-attr]
    return word, at + len(word)
