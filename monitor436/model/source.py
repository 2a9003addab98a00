"""A file as its author wrote it: plain data, where each part of it stands, and problems that point there."""

from typing import NamedTuple

import msgspec

from monitor436.agent.plan import UNKNOWN_KEY, dotted, printable

Path = tuple[str | int, ...]


class Mark(NamedTuple):
    """A place in a file, counted from 1 as editors do; columns are characters."""

    file: str
    line: int
    column: int


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing wrong with a file, in the operator's terms. Line 0: the file as a whole."""

    file: str
    line: int
    column: int
    path: str
    sentence: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return printable(": ".join(part for part in (place, self.path, self.sentence) if part))


SHOWN = 10  # problems told in one event


class SettingsError(Exception):
    """Files that were refused; `problems` are all of them, in the order in which they stand."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @property
    def told(self) -> str:
        """The first of them in one line, as an event has it."""
        told = "; ".join(str(problem) for problem in self.problems[:SHOWN])
        return told + ("; … (monitor436 config check tells all)" if len(self.problems) > SHOWN else "")


class Source:
    """A parsed file: mappings, lists, and scalars as text as written (None where nothing is written).

    `keys` and `values` tell where the key and the value at a path stand. `problems` are those of the writing itself,
    such as a key written twice: who reads the tree reports them too.
    """

    def __init__(
        self,
        file: str,
        tree: dict[str, object],
        keys: dict[Path, Mark],
        values: dict[Path, Mark],
        problems: list[Problem],
    ) -> None:
        self.file = file
        self.tree = tree
        self.keys = keys
        self.values = values
        self.problems = problems

    def mark(self, path: Path) -> Mark:
        """Where to point for what is said about `path`: a scalar itself, the key of a mapping or list.

        What is not in the file is pointed at by the nearest thing around it.
        """
        while path and path not in self.values:
            path = path[:-1]
        if path in self.keys and not isinstance(self.get(path), str):
            return self.keys[path]
        return self.values.get(path, Mark(self.file, 1, 1))

    def get(self, path: Path) -> object:
        """The part of the tree at a path that is in the file. Raises KeyError, IndexError or TypeError for others."""
        node: object = self.tree
        for step in path:
            node = node[step]  # type: ignore[index]
        return node

    def problem(self, path: Path, sentence: str) -> Problem:
        """A problem with what stands at `path`; one about an unknown key points at the key."""
        about_key = sentence.startswith(UNKNOWN_KEY) and path in self.keys
        return Problem(*(self.keys[path] if about_key else self.mark(path)), dotted(path), sentence)
