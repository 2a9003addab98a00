"""Which Python interpreters this machine has: those on PATH and those that pyenv built, without its shims."""

import os
import subprocess
import sys
from pathlib import Path

WHAT = "import sys; print(sys.version_info[0], sys.version_info[1])"


def folders():
    """The folders to look in: PATH, then pyenv's own, the newest first; its shims start nothing by themselves."""
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    built = sorted(Path.home().glob(".pyenv/versions/*/bin"), key=_number, reverse=True)
    return [folder for folder in on_path if folder.name != "shims"] + built


def found(versions):
    """{(3, 6): path, …}: one working interpreter of each of those versions that is here."""
    working = {}
    for version in versions:
        for folder in folders():
            path = folder / "python{}.{}".format(*version)
            if version not in working and os.access(path, os.X_OK) and _version(path) == version:
                working[version] = path
    return working


def path_with_all():
    """PATH, with the folders that pyenv built at its end."""
    return os.pathsep.join(str(folder) for folder in folders())


def _version(path):
    told = subprocess.run([str(path), "-I", "-S", "-c", WHAT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return tuple(int(word) for word in told.stdout.split())


def _number(folder):
    return [int(part) if part.isdigit() else -1 for part in folder.parent.name.split(".")]


if __name__ == "__main__":
    sys.stdout.write(path_with_all() + "\n")
