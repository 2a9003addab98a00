"""A JSON template: its texts name values. What a value holds stays text, whatever is in it."""

import re
from collections.abc import Mapping

_PLACE = re.compile(r"\{([a-z]+)\}")


def fill(tree: object, values: Mapping[str, object]) -> object:
    """`tree` with {name} in its texts replaced; a text that is one {name} and nothing else becomes the value itself."""
    if isinstance(tree, dict):
        return {key: fill(value, values) for key, value in tree.items()}
    if isinstance(tree, list):
        return [fill(value, values) for value in tree]
    if not isinstance(tree, str):
        return tree
    whole = _PLACE.fullmatch(tree)
    if whole and whole[1] in values:
        return values[whole[1]]
    return _PLACE.sub(lambda found: _text(values[found[1]]) if found[1] in values else found[0], tree)


def unknown(tree: object, names: set[str]) -> list[str]:
    """Names in a template that no value has."""
    if isinstance(tree, dict):
        return [name for value in tree.values() for name in unknown(value, names)]
    if isinstance(tree, list):
        return [name for value in tree for name in unknown(value, names)]
    return [name for name in _PLACE.findall(tree) if name not in names] if isinstance(tree, str) else []


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
