"""What a plan may do on this host: decided on the host, out of the server's reach."""

import os

FILE = "commands.allow"
POLICIES = ("none", "listed", "any")
FIRST = """\
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
STANDARD = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


class Limits:
    """`--commands none|listed|any`, and for `listed` the lines of commands.allow."""

    def __init__(self, policy: str, listed: str) -> None:
        self._policy = policy
        lines = (line.split("#")[0].strip() for line in listed.splitlines())
        self._listed = frozenset(filter(None, lines))

    def refusal(self, argv: "tuple[str, ...]") -> str:
        """Why this host does not run `argv`; empty if it does."""
        if self._policy == "any":
            return ""
        if self._policy == "none":
            return "this host runs no commands (--commands none)"
        path = which(argv[0])
        if not path:
            return "{} is not a program in {}".format(argv[0], ":".join(STANDARD))
        if self._listed & {path, os.path.basename(path) if os.path.dirname(path) in STANDARD else path}:
            return ""
        if any(each.endswith("/") and os.path.realpath(path).startswith(each) for each in self._listed):
            return ""
        return "{} is not in this host's {}".format(path, FILE)


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
