"""The state folder of an agent, looked at from beside it: nothing is locked, made or changed."""

import os

from monitor436.agent.identity import State, StateError

OURS = {"lock", "spool", "identity.json", "commands.allow", "inbox"}  # by which a state folder is known


class Glance(State):
    """Reads what an agent keeps, whether one runs or not."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def read(self, name: str) -> "bytes | None":
        """What a file holds; None if it does not exist. Raises StateError."""
        try:
            with open(self.path(name), "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            raise StateError("{}: {}".format(self.path(name), problem.strerror)) from None

    def agent(self) -> int:
        """The process id of the agent that uses the folder; 0 if none does, or if that cannot be told."""
        try:
            inode = os.stat(self.path("lock")).st_ino
            with open("/proc/locks") as file:  # proc(5): number, FLOCK, ADVISORY, WRITE, process, major:minor:inode …
                lines = [line.split() for line in file]
        except OSError:
            return 0
        holders = [line[4] for line in lines if line[1:2] == ["FLOCK"] and line[5].endswith(":{}".format(inode))]
        return int(holders[0]) if holders else 0


def looks_like_state(folder: str) -> bool:
    """Whether a folder can be an agent's: it holds something of ours, or nothing. Raises OSError."""
    names = set(os.listdir(folder))
    return not names or bool(names & OURS)
