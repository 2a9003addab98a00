"""Settings as a file: etc/monitor436.yaml is `render()`, every setting with its one line of why."""

import json
import re
from collections.abc import Iterator

from msgspec import Struct
from msgspec.inspect import Metadata, Type, type_info

from monitor436.model.settings.whole import Settings
from monitor436.model.units import WRITES

HEADING = """\
# monitor436: the settings of a server. Every setting is here, with its default; remove what you do not change.
# Durations are written 500ms, 30s, 5m, 2h or 1d, sizes 512, 4KiB or 64MiB; relative paths begin in this folder.
# Where FILE stands behind a # there is none, unless you name one. After an edit: monitor436 config check
"""
NO_PATH = "FILE"  # a path is given or not: there is no empty one, so its line is a comment

_PLAIN = re.compile(r"[A-Za-z0-9./][A-Za-z0-9./_-]*")  # text that YAML needs no quotes for, wherever it stands


def render(settings: Settings) -> str:
    """`settings` as a settings file, each with its one line of why. Reading it gives equal settings."""
    return HEADING + "".join(f"{line}\n" for line in _lines(settings, ""))


def _lines(section: Struct, indent: str) -> Iterator[str]:
    for field in type_info(type(section)).fields:  # type: ignore[attr-defined]
        value = getattr(section, field.name)
        absent = value == "" and field.default == "" and (field.type.extra or {}).get("reads") == "path"
        inner = isinstance(value, Struct) or (isinstance(value, dict) and bool(value))
        if not indent:
            yield ""
        yield f"{indent}# {field.type.extra_json_schema['description']}"
        if absent:
            yield f"{indent}# {field.name}: {NO_PATH}"
            continue
        yield f"{indent}{field.name}:" + ("" if inner else " " + _written(value, field.type))
        if isinstance(value, Struct):
            yield from _lines(value, indent + "  ")
        elif inner:
            yield from _entries(value, indent + "  ")


def _entries(entries: dict[str, Struct | str], indent: str) -> Iterator[str]:
    for name, value in entries.items():
        written = "" if isinstance(value, Struct) else " " + json.dumps(value, ensure_ascii=False)
        yield f"{indent}{json.dumps(name)}:{written}"
        if isinstance(value, Struct):
            yield from _lines(value, indent + "  ")


def _written(value: object, kind: Type) -> str:
    """A value as YAML that is read back as the same."""
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(_written(item, kind.type.item_type) for item in value)}]"  # type: ignore[attr-defined]
    extra = kind.extra if isinstance(kind, Metadata) else None
    text = WRITES.get((extra or {}).get("reads", ""), str)(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
