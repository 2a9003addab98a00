"""YAML text becomes a Source: every scalar stays the text that was written, and every part knows its place.

Built from libyaml's events, because its composer recurses without a bound (a few hundred kilobytes of "[" end the
process) and its resolver would turn `no` into False, `22:22` into 1342 and the second of two equal keys into the value.
"""

import os
import re
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

import yaml

from monitor436.agent.plan import dotted, shown
from monitor436.model.source import Mark, Path, Problem, SettingsError, Source

MAX_SIZE = 1 << 20  # bytes of one file: more than 20,000 lines that a person wrote
MAX_DEPTH = 16  # mappings and lists inside one another
MAX_PARTS = 50_000  # keys and values, those that aliases repeat included: a bomb of aliases ends here

# Characters that are not text: controls, line ends that editors do not show as such, reversed text, half characters.
_NOT_TEXT = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)

_IN_SINGLE_QUOTES = "; in single quotes a backslash stands for itself, as patterns need it: '\\d+'"


class _Node(NamedTuple):
    """A scalar with its text (None where nothing is written), or a list or mapping with its parts (key, value, …)."""

    kind: type[yaml.Event]
    text: str | None
    parts: "list[_Node]"
    mark: Mark


def compose(text: bytes | str, file: str) -> Source:
    """The mapping written in `text`; `file` is its name in problems. Empty text is an empty mapping.

    Raises SettingsError where the text cannot be read at all; problems that leave it readable are in the Source.
    """
    composer = _Composer(file, _decoded(text, file))
    top = composer.document()
    keys: dict[Path, Mark] = {}
    values: dict[Path, Mark] = {}
    problems = composer.problems
    tree = _Plain(keys, values, problems).part(top, ()) if top else None
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise SettingsError([*problems, Problem(*values[()], "", f"expected a mapping, got {shown(tree)}")])
    return Source(file, tree, keys, values, problems)


def read_source(path: str, file: str = "") -> Source:
    """The Source in the regular file at `path`, called `file` in problems. Raises SettingsError, also if unreadable."""
    file = file or path
    try:
        with open(path, "rb", opener=_opened) as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise OSError(0, "is not a regular file")
            text = opened.read(MAX_SIZE + 1)
    except (OSError, ValueError) as wrong:
        reason = getattr(wrong, "strerror", None) or str(wrong)
        raise SettingsError([Problem(file, 0, 0, "", f"cannot be read: {reason}")]) from None
    return compose(text, file)


def _opened(path: str, flags: int) -> int:
    """A descriptor that waits for nobody: a pipe in the place of a file must not stop the server."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _decoded(written: bytes | str, file: str) -> str:
    if len(written) > MAX_SIZE:
        raise SettingsError([Problem(file, 0, 0, "", f"is larger than {MAX_SIZE >> 20} MiB")])
    try:
        text = written if isinstance(written, str) else written.decode("utf-8")
    except UnicodeDecodeError as wrong:
        before = wrong.object[: wrong.start].decode("utf-8")
        sentence = f"byte 0x{wrong.object[wrong.start]:02x} is not UTF-8"
        raise SettingsError([Problem(*_place(file, before, len(before)), "", sentence)]) from None
    text = text.removeprefix("\ufeff")
    found = _NOT_TEXT.search(text)
    if found:
        sentence = f"a character that is not text: U+{ord(found[0]):04X}"
        raise SettingsError([Problem(*_place(file, text, found.start()), "", sentence)])
    return text


def _place(file: str, text: str, position: int) -> Mark:
    lines = re.split("\r\n|\r|\n", text[:position])
    return Mark(file, len(lines), len(lines[-1]) + 1)


class _Composer:
    """Nodes out of events. Raises SettingsError for what cannot be YAML of ours, collects what is merely wrong."""

    def __init__(self, file: str, text: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._text = text
        self._anchors: dict[str, _Node] = {}
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.CSafeLoader)

    def document(self) -> _Node | None:
        """The only document; None for none. Raises SettingsError."""
        try:
            next(self._events)  # the start of the stream
            if isinstance(next(self._events), yaml.StreamEndEvent):
                return None
            top = self._node(next(self._events), 0)
            next(self._events)  # the end of the document
            after = next(self._events)
            if isinstance(after, yaml.DocumentStartEvent):
                self._fail(after.start_mark, "a second document: one file holds one")
            return top
        except yaml.YAMLError as wrong:
            self._fail(getattr(wrong, "problem_mark", None), self._sentence(wrong))

    def _node(self, event: Any, depth: int) -> _Node:
        if depth > MAX_DEPTH:
            self._fail(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        mark = self._mark(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                self._fail(event.start_mark, f'no "&{event.anchor}" is complete before this alias')
            return self._anchors[event.anchor]._replace(mark=mark)
        if event.tag is not None:
            self._say(mark, f"tags such as {shown(event.tag)} are not used: every setting knows its own type")
        if isinstance(event, yaml.ScalarEvent):
            written = event.value or event.style in ("'", '"', "|", ">")
            node = _Node(type(event), event.value if written else None, [], mark)
        else:
            node = _Node(type(event), None, list(self._parts(depth)), mark)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _parts(self, depth: int) -> Iterator[_Node]:
        for event in self._events:
            if isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                return
            yield self._node(event, depth + 1)

    def _sentence(self, wrong: yaml.YAMLError) -> str:
        mark = getattr(wrong, "problem_mark", None)
        lines = re.split("\r\n|\r|\n", self._text)
        if mark and mark.line < len(lines) and lines[mark.line][mark.column : mark.column + 1] == "\t":
            return "a tab: YAML is indented with spaces"
        parts = (getattr(wrong, "problem", None), getattr(wrong, "context", None))
        hint = _IN_SINGLE_QUOTES if parts[0] == "found unknown escape character" else ""
        return "not YAML: " + ", ".join(part for part in parts if part) + hint

    def _mark(self, mark: Any) -> Mark:
        return Mark(self._file, mark.line + 1, mark.column + 1) if mark else Mark(self._file, 1, 1)

    def _say(self, mark: Mark, sentence: str) -> None:
        self.problems.append(Problem(*mark, "", sentence))

    def _fail(self, mark: Any, sentence: str) -> NoReturn:
        self._say(self._mark(mark), sentence)
        raise SettingsError(self.problems)


class _Plain:
    """Plain data out of nodes, with the marks of every path."""

    def __init__(self, keys: dict[Path, Mark], values: dict[Path, Mark], problems: list[Problem]) -> None:
        self._keys = keys
        self._values = values
        self._problems = problems

    def part(self, node: _Node, path: Path) -> object:
        """What `node` holds. Raises SettingsError if that is too much."""
        if len(self._values) >= MAX_PARTS or len(path) > MAX_DEPTH:
            sentence = f"more than {MAX_PARTS} parts or {MAX_DEPTH} levels, aliases counted"
            mark = self._keys.get(path[:1], node.mark)  # an alias within: what it repeats stands elsewhere
            raise SettingsError([*self._problems, Problem(*mark, "", sentence)])
        self._values[path] = node.mark
        if node.kind is yaml.MappingStartEvent:
            return self._mapping(node, path)
        if node.kind is yaml.SequenceStartEvent:
            return [self.part(item, (*path, number)) for number, item in enumerate(node.parts)]
        return node.text

    def _mapping(self, node: _Node, path: Path) -> dict[str, object]:
        tree: dict[str, object] = {}
        for key, value in zip(node.parts[::2], node.parts[1::2], strict=True):
            if key.text is None:
                self._say(key.mark, path, "a key must be text")
            elif key.text == "<<":
                self._say(key.mark, path, 'merge keys ("<<") are not used')
            elif key.text in tree:
                first = self._keys[(*path, key.text)]
                self._say(key.mark, (*path, key.text), f"is written twice: first in line {first.line}")
            else:
                self._keys[(*path, key.text)] = key.mark
                tree[key.text] = self.part(value, (*path, key.text))
        return tree

    def _say(self, mark: Mark, path: Path, sentence: str) -> None:
        self._problems.append(Problem(*mark, dotted(path), sentence))
