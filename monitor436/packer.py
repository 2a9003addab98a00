"""The agent as one file: a zip of its modules that a shell can start."""

import io
import json
import zipfile
from importlib.resources import files
from importlib.resources.abc import Traversable

PRELUDE = b"""\
#!/bin/sh
# The monitor436 agent: a zip file that Python runs; `unzip -l` lists it.
for python in python3 /usr/libexec/platform-python /usr/bin/python3; do
    if command -v "$python" >/dev/null 2>&1; then exec "$python" -I -S "$0" "$@"; fi
done
echo "agent436: no python3 on this host (3.6 or newer is needed)" >&2
exit 1
"""
START = b"from monitor436.agent.__main__ import main\n\nmain()\n"
DATE = (1980, 1, 1, 0, 0, 0)  # the same source gives the same bytes


def _modules(folder: Traversable, path: str) -> dict[str, bytes]:
    """The modules in a folder and those below it, by their paths in the archive."""
    found = {}
    for each in folder.iterdir():
        if each.name.endswith(".py"):
            found[f"{path}/{each.name}"] = each.read_bytes()
        elif each.is_dir() and each.name != "__pycache__":
            found.update(_modules(each, f"{path}/{each.name}"))
    return found


def pack(packed: dict[str, object]) -> bytes:
    """The agent file with `packed` (see `agent.identity.Packed`) inside: stored, not deflated, in sorted order."""
    package = files("monitor436")
    entries = {"__main__.py": START, "packed.json": json.dumps(packed, sort_keys=True, indent=1).encode()}
    entries["monitor436/__init__.py"] = package.joinpath("__init__.py").read_bytes()
    entries.update(_modules(package.joinpath("agent"), "monitor436/agent"))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as zipped:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, DATE)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, entries[name])
    return PRELUDE + archive.getvalue()
