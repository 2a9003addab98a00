"""A Source becomes a struct: each scalar is read by the type its field wants, and all problems are told at once."""

import os
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from monitor436.agent.plan import UNKNOWN_KEY, meant, shown
from monitor436.model.source import Path, Problem, SettingsError, Source
from monitor436.model.units import EXAMPLES, READS, WRITES
from monitor436.yaml_source import read_source

T = TypeVar("T", bound=msgspec.Struct)

DEFAULT = "etc/monitor436.yaml"  # the settings file of a command that names none
ABSENT = "is not here: go to the folder of a site (monitor436 init makes one), or say -c FILE"

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?")
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}
_WRONG = object()  # stands for a value whose problem is noted already


def load(path: str, struct: type[T]) -> T:
    """The settings in the YAML file at `path`; relative paths in them begin in its folder. Raises SettingsError."""
    if path == DEFAULT and not os.path.exists(path):
        raise SettingsError([Problem(path, 0, 0, "", ABSENT)])
    return bind(read_source(path), struct, os.path.dirname(os.path.abspath(path)))


def bind(source: Source, struct: type[T], base: str) -> T:
    """An instance of `struct` out of `source`. Raises SettingsError with every problem.

    A relative path, a default too, is joined to the folder `base`, unless that is "". After its fields, a struct's own
    `problems()` is asked, if it has one, for what no single field can tell: pairs of (path, sentence).
    """
    binding = _Binding(source, base)
    bound = binding.struct(struct, source.tree, ())
    problems = [*source.problems, *(source.problem(*found) for found in binding.problems)]
    if problems:
        raise SettingsError(problems)
    return bound  # type: ignore[no-any-return]


class _Binding:
    """One walk over types and tree; what is wrong is noted, and the walk goes on."""

    def __init__(self, source: Source, base: str) -> None:
        self.problems: list[tuple[Path, str]] = []
        self._base = base

    def struct(self, wanted: type[msgspec.Struct], tree: object, path: Path) -> Any:
        if tree is None:
            tree = {}
        if not isinstance(tree, dict):
            return self._note(path, f"expected a mapping, got {shown(tree)}")
        fields = {field.encode_name: field for field in inspect.type_info(wanted).fields}  # type: ignore[attr-defined]
        for key in tree.keys() - fields.keys():
            self._note((*path, key), f"{UNKNOWN_KEY}; {meant(key, list(fields))}")
        values = {field.name: self._field(field, tree.get(key), (*path, key)) for key, field in fields.items()}
        if _WRONG in values.values():
            return _WRONG
        made = wanted(**values)
        slips: Callable[[], Iterable[tuple[Path, str]]] = getattr(made, "problems", tuple)
        for inner, sentence in slips():
            self._note((*path, *inner), sentence)
        return made

    def _field(self, field: inspect.Field, tree: object, path: Path) -> object:
        """What is written for a field, or its default, which differs from its type's only in a joined path."""
        kind, reads = _kind(field.type)
        if isinstance(kind, inspect.StructType):
            return self.struct(kind.cls, tree, path)
        if tree is not None:
            return self._value(field.type, tree, path)
        if field.required:
            return self._note(path, "must be given")
        if callable(field.default_factory):
            return field.default_factory()
        return self._joined(field.default) if reads == "path" and field.default else field.default

    def _value(self, wanted: inspect.Type, tree: object, path: Path) -> object:
        kind, reads = _kind(wanted)
        if isinstance(kind, inspect.StructType):
            return self.struct(kind.cls, tree, path)
        if isinstance(kind, inspect.VarTupleType):
            return self._tuple(kind.item_type, tree, path)
        if isinstance(kind, inspect.DictType):
            return self._dict(kind.value_type, tree, path)
        if not isinstance(tree, str):
            return self._note(path, f"expected {EXAMPLES.get(reads, 'text')}, got {shown(tree)}")
        try:
            value = READS[reads](tree) if reads else _SCALARS[type(kind)](tree, kind)
            _bounded(value, kind, WRITES.get(reads, str))
        except ValueError as wrong:
            return self._note(path, str(wrong))
        return self._joined(tree) if reads == "path" else value

    def _tuple(self, item: inspect.Type, tree: object, path: Path) -> object:
        if not isinstance(tree, list):
            return self._note(path, f"expected a list, got {shown(tree)}")
        values = tuple(self._value(item, part, (*path, number)) for number, part in enumerate(tree))
        return _WRONG if _WRONG in values else values

    def _dict(self, item: inspect.Type, tree: object, path: Path) -> object:
        if not isinstance(tree, dict):
            return self._note(path, f"expected a mapping, got {shown(tree)}")
        values = {key: self._value(item, part, (*path, key)) for key, part in tree.items()}
        return _WRONG if _WRONG in values.values() else values

    def _joined(self, path: str) -> str:
        return os.path.normpath(os.path.join(self._base, path)) if self._base else path

    def _note(self, path: Path, sentence: str) -> object:
        self.problems.append((path, sentence))
        return _WRONG


def _kind(wanted: inspect.Type) -> tuple[inspect.Type, str]:
    """The type itself, and what reads it, if it is a kind of scalar out of model.units."""
    reads = ""
    while isinstance(wanted, inspect.Metadata):
        reads = (wanted.extra or {}).get("reads", reads)
        wanted = wanted.type
    return wanted, reads


def _bounded(value: Any, kind: inspect.Type, written: Callable[..., str]) -> None:
    least, most = getattr(kind, "ge", None), getattr(kind, "le", None)
    if least is not None and value < least:
        raise ValueError(f"must be at least {written(least)}, is {written(value)}")
    if most is not None and value > most:
        raise ValueError(f"must be at most {written(most)}, is {written(value)}")


def _whole(text: str, _: inspect.Type) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"expected a whole number, got {shown(text)}")
    return int(text)


def _number(text: str, _: inspect.Type) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"expected a number, got {shown(text)}")
    return float(text)


def _truth(text: str, _: inspect.Type) -> bool:
    if text not in _TRUTH:
        raise ValueError(f"expected true or false, got {shown(text)}")
    return _TRUTH[text]


def _choice(text: str, kind: inspect.Type) -> str:
    choices = [str(choice) for choice in kind.values]  # type: ignore[attr-defined]
    if text not in choices:
        raise ValueError(f"{shown(text)} is none of its choices; {meant(text, choices)}")
    return text


_SCALARS: dict[type[inspect.Type], Callable[[str, inspect.Type], object]] = {
    inspect.StrType: lambda text, _: text,
    inspect.IntType: _whole,
    inspect.FloatType: _number,
    inspect.BoolType: _truth,
    inspect.LiteralType: _choice,
}
