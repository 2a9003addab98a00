"""Many names of hosts in few words: web1, web2, web3 and db1 are "db1,web[1-3]". Pure."""

import re
from collections.abc import Iterable

_NUMBERED = re.compile(r"(.*?)(\d{1,18})(\D*(?::\d+)?)")


def folded(names: Iterable[str]) -> str:
    """The names, each once, in order; those that differ in their last number only are one, if they follow in it.

    A port is no such number. Numbers of other widths stay apart, as "web01" is not "web1".
    """
    numbered: dict[tuple[str, str, int], list[int]] = {}
    plain = []
    for name in set(names):
        parts = _NUMBERED.fullmatch(name)
        if parts:
            width = len(parts[2]) if parts[2][0] == "0" else 0
            numbered.setdefault((parts[1], parts[3], width), []).append(int(parts[2]))
        else:
            plain.append((name, 0, name))
    shown = [(before + after, first, _shown(before, after, width, first, last))
             for (before, after, width), numbers in numbered.items()
             for first, last in _runs(sorted(numbers))]  # fmt: skip
    return ",".join(text for _, _, text in sorted(plain + shown))


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    return runs


def _shown(before: str, after: str, width: int, first: int, last: int) -> str:
    said = f"{first:0{width}}" if first == last else f"[{first:0{width}}-{last:0{width}}]"
    return f"{before}{said}{after}"
