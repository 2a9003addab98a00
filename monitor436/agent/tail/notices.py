"""Being told that something changed in a folder, so that a log nobody writes to is not looked at every second.

The kernel's oldest way, F_NOTIFY of fcntl(2), as it needs nothing but a signal; inotify would need ctypes, 1 MiB. A
notice says that something happened in one of the folders, and no more: whoever hears of it asks anew, and looks.
"""

import fcntl
import os
import signal
from collections.abc import Callable

EVENTS = fcntl.DN_MODIFY | fcntl.DN_CREATE | fcntl.DN_DELETE | fcntl.DN_RENAME | fcntl.DN_ATTRIB
TOLD_OF = frozenset("ext2 ext3 ext4 xfs btrfs zfs jfs f2fs bcachefs tmpfs overlay".split())
# File systems on which nobody but this kernel writes. Elsewhere a change may come without a notice.
MAX_FOLDERS = 64  # a descriptor each
REST = 10.0  # seconds between looks even so, together with heartbeats: then no trust is needed


class Notices:
    """Notices of changes in folders. `kind(path)` is the type of the file system at a path without links.

    For the main thread alone, with a wake-up descriptor, so that whoever waits hears of SIGIO.
    """

    def __init__(self, kind: "Callable[[str], str]") -> None:
        self._kind = kind
        self._open = {}  # type: dict[str, int]
        self._asked = set()  # type: set[str]
        self._came = False
        signal.signal(signal.SIGIO, self._come)

    def tells(self, folders: "set[str]") -> bool:
        """Whether the next change in any of these folders will be told. Ask, then look."""
        if len(folders) > MAX_FOLDERS:
            return False
        if len(folders | set(self._open)) > MAX_FOLDERS:
            self.forget()  # whoever still wants one asks anew at the next look
        return bool(folders) and all(self._ask(folder) for folder in folders)

    def came(self) -> bool:
        """Whether there was a notice since this was last true. Then all are to be asked for again."""
        if not self._came:
            return False
        self._came = False  # first: one that comes from here on either is seen when looking or told the next time
        self._asked.clear()
        return True

    def forget(self) -> None:
        """No notices are wanted any more."""
        for folder in list(self._open):
            self._let_go(folder)

    def _ask(self, folder: str) -> bool:
        if folder in self._open and not self._is_still(folder):
            self._let_go(folder)
        if folder in self._asked:
            return True
        if folder not in self._open and self._kind(os.path.realpath(folder)) not in TOLD_OF:
            return False
        try:
            if folder not in self._open:
                self._open[folder] = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.fcntl(self._open[folder], fcntl.F_NOTIFY, EVENTS)
        except OSError:  # gone, not ours to read, or a kernel without
            return False
        self._asked.add(folder)
        return True

    def _is_still(self, folder: str) -> bool:
        """Whether the folder is the one that was opened under this name."""
        try:
            return os.path.samestat(os.stat(folder), os.fstat(self._open[folder]))
        except OSError:
            return False

    def _let_go(self, folder: str) -> None:
        os.close(self._open.pop(folder))
        self._asked.discard(folder)

    def _come(self, *_: object) -> None:
        self._came = True
