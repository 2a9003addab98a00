"""A system to install the agent into: this one, or an image below a folder."""

import os
import pwd
import stat
import subprocess
from collections.abc import Callable

from monitor436.agent.options import InTheWay

GROUPS = ("adm", "systemd-journal")  # whose members read logs, where they exist
SHELLS = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false")


class Place:
    """The system at `root`. `say(text)` is told of everything that changed."""

    def __init__(self, root: str, say: "Callable[[str], None]") -> None:
        self.root = os.path.abspath(root or "/")
        self.say = say

    @property
    def here(self) -> bool:
        """Whether it is the system that runs."""
        return self.root == "/"

    @property
    def runs_systemd(self) -> bool:
        """Whether units can be started now."""
        return self.here and os.path.isdir("/run/systemd/system")

    @property
    def has_systemd(self) -> bool:
        """Whether units are started at boot."""
        return self.runs_systemd or any(
            os.path.isdir(self.path(each)) for each in ("/usr/lib/systemd/system", "/lib/systemd/system")
        )

    def path(self, path: str) -> str:
        """Where a path of that system is on this one."""
        return os.path.join(self.root, path.lstrip("/"))

    def read(self, path: str) -> "bytes | None":
        """What a file holds; None if there is none. Raises OSError."""
        try:
            with open(self.path(path), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def write(self, path: str, content: bytes, mode: int, owner: "tuple[int, int]" = (0, 0)) -> bool:
        """Put a file in place, whole or not at all; whether it is another one now. Raises OSError."""
        there = self.path(path)
        same = self.read(path) == content and _is(there, mode, owner)
        if not same:
            os.makedirs(os.path.dirname(there), exist_ok=True)
            new = there + ".new"
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            _give(new, owner)
            os.chmod(new, mode)
            os.replace(new, there)
        self.say("{}: {}".format(path, "as it was" if same else "written"))
        return not same

    def folder(self, path: str, mode: int, owner: "tuple[int, int]") -> None:
        """Make a folder, and what is in it, this user's. Raises OSError."""
        there = self.path(path)
        same = os.path.isdir(there) and _is(there, mode, owner)
        os.makedirs(there, exist_ok=True)
        if not same:
            for above, folders, files in os.walk(there):
                for name in folders + files:
                    _give(os.path.join(above, name), owner)
            _give(there, owner)
            os.chmod(there, mode)
        self.say("{}: {}".format(path, "as it was" if same else "made for the agent"))

    def remove(self, path: str) -> bool:
        """Remove a file or a link; whether it was there. Raises OSError."""
        try:
            os.unlink(self.path(path))
        except FileNotFoundError:
            return False
        self.say("{}: removed".format(path))
        return True

    def user(self, name: str) -> "tuple[int, int] | None":
        """uid and gid of a user; None if there is no such user."""
        if self.here:
            try:
                found = pwd.getpwnam(name)
            except KeyError:
                return None
            return found.pw_uid, found.pw_gid
        for words in self._entries("passwd"):
            if words[0] == name and len(words) > 3:
                return int(words[2]), int(words[3])
        return (0, 0) if name == "root" else None

    def make_user(self, name: str, home: str) -> "tuple[int, int]":
        """A system user, in the groups that read logs; uid and gid. Raises InTheWay."""
        found = self.user(name)
        groups = [words[0] for words in self._entries("group") if words[0] in GROUPS]
        if found is not None:
            members = {words[0]: words[3].split(",") for words in self._entries("group") if len(words) > 3}
            missing = [group for group in groups if name not in members.get(group, [])]
            if missing:
                self.command("usermod", "-a", "-G", ",".join(missing), name)
            self.say("user {}: {}".format(name, "put in " + ", ".join(missing) if missing else "as it was"))
            return found
        shell = next((each for each in SHELLS if os.path.exists(self.path(each))), SHELLS[-1])
        more = ["-G", ",".join(groups)] if groups else []
        self.command("useradd", "-r", "-U", "-M", "-d", home, "-s", shell, *more, name)
        found = self.user(name)
        if found is None:
            raise InTheWay("user {} was made and cannot be found".format(name))
        self.say("user {}: made{}".format(name, ", in " + " and ".join(groups) if groups else ""))
        return found

    def command(self, program: str, *words: str) -> None:
        """Run a program of the system about the system at `root`. Raises InTheWay with what it said."""
        where = [] if self.here or not program.startswith("user") else ["--prefix", self.root]
        environment = dict(os.environ, PATH="/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL="C")
        try:
            done = subprocess.run(
                [program, *where, *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        except OSError as problem:
            raise InTheWay("{}: {}".format(program, problem.strerror)) from None
        if done.returncode:
            said = done.stdout.decode("utf-8", "replace").strip() or "status {}".format(done.returncode)
            raise InTheWay("{}: {}".format(" ".join((program, *words)), said))

    def _entries(self, name: str) -> "list[list[str]]":
        text = (self.read("/etc/" + name) or b"").decode("utf-8", "replace")
        return [line.split(":") for line in text.splitlines() if ":" in line]


def _is(path: str, mode: int, owner: "tuple[int, int]") -> bool:
    found = os.lstat(path)
    return stat.S_IMODE(found.st_mode) == mode and (found.st_uid, found.st_gid) == owner


def _give(path: str, owner: "tuple[int, int]") -> None:
    if os.geteuid() == 0:
        os.chown(path, owner[0], owner[1], follow_symlinks=False)
