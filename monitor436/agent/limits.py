"""What a plan may do on this host: decided on the host, out of the server's reach."""

import fnmatch
import os

POLICIES = ("none", "listed", "any")
COMMANDS_FILE = "commands.allow"
FIRST_COMMANDS = """\
# Commands that a plan may run on this host: one absolute path a line, a folder with a slash at its end, or the name of
# a program in the standard folders. Nothing but an admin of this host changes this file.
df
free
uptime
ps
who
vmstat
iostat
/usr/lib/nagios/plugins/
/usr/lib64/nagios/plugins/
"""
LOGS_FILE = "logs.allow"
FIRST_LOGS = """\
# Logs that a plan may have read on this host: one absolute path a line, a folder with a slash at its end, or a pattern
# such as /home/*/logs/*.log. A link counts as what it leads to. Nothing but an admin of this host changes this file.
/var/log/
/srv/
/opt/
"""
_NOT_LISTED = "{} is not in this host's {} (after an edit restart the agent)"
STANDARD = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


class Limits:
    """`--commands` and `--logs`, each none, listed or any; for `listed` the lines of their files.

    `user` is what `run_as` gave: (uid, gid, groups) of whoever runs commands, or None for the agent's own user.
    """

    def __init__(
        self,
        commands: str,
        listed_commands: str,
        logs: str,
        listed_logs: str,
        user: "tuple[int, int, list[int]] | None" = None,
    ) -> None:
        self.user = user
        self._commands = commands
        self._programs = frozenset(_lines(listed_commands))
        self._logs = logs
        self._files = [_File(line) for line in _lines(listed_logs)]

    def refusal(self, argv: "tuple[str, ...]") -> str:
        """Why this host does not run `argv`; empty if it does."""
        if self._commands == "any":
            return ""
        if self._commands == "none":
            return "this host runs no commands (--commands none)"
        path = which(argv[0])
        if not path:
            return "{} is not a program in {}".format(argv[0], ":".join(STANDARD))
        if self._programs & {path, os.path.basename(path) if os.path.dirname(path) in STANDARD else path}:
            return ""
        if any(each.endswith("/") and os.path.realpath(path).startswith(each) for each in self._programs):
            return ""
        return _NOT_LISTED.format(path, COMMANDS_FILE)

    def log_refusal(self, path: str) -> str:
        """Why this host does not let the log at `path`, with all links resolved, be read; empty if it does."""
        if self._logs == "any":
            return ""
        if self._logs == "none":
            return "this host lets no log be read (--logs none)"
        if any(file.means(path) for file in self._files):
            return ""
        return _NOT_LISTED.format(path, LOGS_FILE)


class _File:
    """A line of logs.allow. Links on its way are resolved once, now: whoever can change them later gains nothing."""

    def __init__(self, line: str) -> None:
        parts = line.split("/")
        fixed = next((number for number, part in enumerate(parts) if set("*?[") & set(part)), len(parts))
        self._known = os.path.realpath("/".join(parts[:fixed]) or "/").rstrip("/").split("/")
        self._wild = [part for part in parts[fixed:] if part]
        self._below = line.endswith("/")
        self._absolute = line.startswith("/")

    def means(self, path: str) -> bool:
        parts = path.split("/")
        wild = parts[len(self._known) :]
        there = len(wild) > len(self._wild) if self._below else len(wild) == len(self._wild)
        known = self._absolute and parts[: len(self._known)] == self._known
        return there and known and all(map(fnmatch.fnmatchcase, wild, self._wild))


def _lines(text: str) -> "list[str]":
    return [line for line in (line.split("#")[0].strip() for line in text.splitlines()) if line]


def which(program: str) -> str:
    """The absolute path of a program: as given, or found in the standard folders; empty if there is none."""
    if program.startswith("/"):
        return program
    if "/" in program:
        return ""
    for folder in STANDARD:
        path = os.path.join(folder, program)
        if os.access(path, os.X_OK):
            return path
    return ""


def run_as(name: str) -> "tuple[int, int, list[int]]":
    """(uid, gid, groups) of the user who is to run commands. Raises ValueError with a sentence."""
    import pwd  # only where it is wanted

    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise ValueError("--run-as {}: there is no such user on this host".format(name)) from None
    if os.geteuid() not in (0, user.pw_uid):
        raise ValueError("--run-as {}: only an agent that root runs can run commands as another user".format(name))
    return user.pw_uid, user.pw_gid, os.getgrouplist(name, user.pw_gid)
