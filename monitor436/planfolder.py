"""The folder in which plan files are kept: read whole into a Planbook, and stamped so that an edit is seen."""

import os
from collections.abc import Iterator

from monitor436.model.plans.planbook import Planbook
from monitor436.model.source import Problem, SettingsError, Source
from monitor436.yaml_source import read_source

MAX_FILES = 2_000

Stamp = tuple[tuple[str, int, int, int], ...]


def read_planbook(folder: str, beat: float = 5.0, late: float = 15.0) -> Planbook:
    """The plans in `folder`, with the rhythm (seconds) of hosts whose files say none.

    Raises SettingsError with all problems of all files, also for a folder that is not there.
    """
    sources = {}
    try:
        for name in _names(folder):
            sources[name] = _source(os.path.join(folder, name))
    except OSError as wrong:
        raise SettingsError([Problem(folder, 0, 0, "", f"cannot be read: {wrong.strerror}")]) from None
    if len(sources) > MAX_FILES:
        raise SettingsError([Problem(folder, 0, 0, "", f"holds more than {MAX_FILES} files")])
    return Planbook(sources, beat, late)


def stamp(folder: str) -> Stamp:
    """What differs after any edit: name, time of change (ns), size and inode of each plan file; () for no folder."""
    return tuple(_stamps(folder))


def _stamps(folder: str) -> Iterator[tuple[str, int, int, int]]:
    try:
        for name in _names(folder):
            try:
                found = os.stat(os.path.join(folder, name))
                yield name, found.st_mtime_ns, found.st_size, found.st_ino
            except OSError:
                yield name, 0, 0, 0  # gone since it was listed, or a link to nothing: reading it will say so
    except OSError:
        return


def _names(folder: str) -> list[str]:
    """The *.yaml and *.yml files in and below `folder`, as "common/disk.yaml", sorted. Hidden ones are left out."""
    names = []
    for above, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.endswith((".yaml", ".yml")) and not name.startswith("."):
                names.append(os.path.relpath(os.path.join(above, name), folder))
        if len(names) > MAX_FILES:
            break
    return sorted(names)


def _source(path: str) -> Source:
    """A file's Source; an empty one with the problems, if it cannot be read, so that other files are still checked."""
    try:
        return read_source(path)
    except SettingsError as wrong:
        return Source(path, {}, {}, {}, wrong.problems)


def _raise(wrong: OSError) -> None:
    raise wrong
