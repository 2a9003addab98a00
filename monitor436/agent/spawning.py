"""Starting a program without copying this process first, posix_spawn(3): half the CPU of fork and exec.

The one who spawns waits until the program is found and loaded. So this is only for programs of the system itself: one
on a file server that has died would hold up the agent.
"""

import os
import signal
from collections.abc import Mapping

SYSTEM = ("/usr/", "/bin/", "/sbin/", "/etc/alternatives/")
ELSEWHERE = "/usr/local/"
MAX_LINKS = 8
MAX_KNOWN = 100  # programs whose place is remembered
IGNORED_HERE = signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD  # by Python, or by who started us; programs need them
MAX_FILES = 1024  # descriptors that a program is not to find open

_places = {}  # type: dict[tuple[str, str], str]


def spawn(argv: "list[str] | tuple[str, ...]", given: int, output: int, env: "Mapping[str, str]") -> int:
    """The process that `argv` has become, with these descriptors; 0 if it is to be forked, which tells why, too."""
    try:
        place = _place(argv[0], env.get("PATH", os.defpath))
        if not place:
            return 0
        copied = os.POSIX_SPAWN_DUP2  # novermin: since 3.8, and not everywhere
        files = [(copied, fd, at) for at, fd in enumerate((given, output, output))]
        return os.posix_spawn(  # novermin
            place, list(argv), env, file_actions=files, setsid=True, setsigmask=(), setsigdef=IGNORED_HERE
        )
    except (AttributeError, NotImplementedError, OSError, ValueError):  # AttributeError: before Python 3.8
        return 0


def keep_open_files_private() -> None:
    """What this process was given open by whoever started it is not for programs; what it opens itself never is."""
    for fd in range(3, MAX_FILES):
        try:
            os.set_inheritable(fd, False)
        except OSError:  # not open
            pass


def _place(program: str, path: str) -> str:
    """Where a program of the system is; empty for others. Looked up once: a folder of `path` may be slow to answer."""
    key = program, path
    if key not in _places:
        if len(_places) >= MAX_KNOWN:
            _places.clear()
        place = program if "/" in program else _first(program, path)
        _places[key] = place if _is_of_the_system(place) else ""
    return _places[key]


def _first(program: str, path: str) -> str:
    places = (os.path.join(folder, program) for folder in path.split(":"))
    return next((place for place in places if os.access(place, os.X_OK)), "")


def _is_of_the_system(place: str) -> bool:
    """Whether it and the links that it may be are in the system's folders; nothing is touched outside of them."""
    for _ in range(MAX_LINKS):
        if not place.startswith(SYSTEM) or place.startswith(ELSEWHERE) or "/../" in place:
            return False
        try:
            link = os.readlink(place)
        except OSError:  # it is none
            return True
        place = os.path.normpath(os.path.join(os.path.dirname(place), link))
    return False
