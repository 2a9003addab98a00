"""What the machine of a server is like, as far as that matters to it: looked at, never changed."""

import configparser
import errno
import os
import pwd
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from monitor436.model.server.checkup import Held, Kept, Room, Unit
from monitor436.udp_port import SO_RCVBUFFORCE

NET_ADMIN = 1 << 12  # capability(7), as a bit of CapEff
UNITS = tuple(Path(folder) for folder in ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"))
PROC = Path("/proc")


def alive(process: int, proc: Path = PROC) -> bool:
    """Whether a process of this number runs."""
    return process > 0 and (proc / str(process)).exists()


def name_of(process: int, proc: Path = PROC) -> str:
    """What a process is called; "" if it is gone."""
    try:
        return (proc / str(process) / "comm").read_text().strip()
    except OSError:
        return ""


def user_of(process: int, proc: Path = PROC) -> int:
    """The user that a process runs as; ours if there is none."""
    return _status(process, "Uid", proc, 10, os.geteuid())


def may_exceed(process: int, proc: Path = PROC) -> bool:
    """Whether a process may have larger buffers than net.core.rmem_max; whether we may, if there is none."""
    return bool(_status(process or os.getpid(), "CapEff", proc, 16, 0) & NET_ADMIN)


def _status(process: int, field: str, proc: Path, base: int, default: int) -> int:
    """A field of /proc/PID/status, proc(5); of several values the second, which for users is the effective one."""
    try:
        for line in (proc / str(process) / "status").read_text().splitlines():
            name, _, values = line.partition(":")
            if name == field:
                found = values.split()
                return int(found[1 if len(found) > 1 else 0], base)
    except (OSError, ValueError):
        pass
    return default


def held(address: str, port: int, kind: str, proc: Path = PROC) -> Held:
    """Whether a port can be had; `kind` is "udp" or "tcp". It is taken for a moment, and nobody is answered."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as tries:
        if kind == "tcp":
            tries.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            tries.bind((address, port))
            return Held(True)
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                return Held(False, problem=str(problem.strerror))
    process = holder(port, kind, proc)
    return Held(False, process, name_of(process, proc))


def holder(port: int, kind: str, proc: Path = PROC) -> int:
    """The process that has a port; 0 if it cannot be seen."""
    ends, sockets = f":{port:04X}", set()
    for row in [*_rows(proc / "net" / kind), *_rows(proc / "net" / f"{kind}6")]:
        listens = row[3] in ("07", "0A")  # unconnected, as UDP is; listening
        if row[1].endswith(ends) and listens:
            sockets.add(f"socket:[{row[9]}]")
    for process in proc.glob("[0-9]*"):
        if not sockets.isdisjoint(_open_files(process)):
            return int(process.name)
    return 0


def _open_files(process: Path) -> Iterator[str]:
    """What a process has open; nothing of one that is gone, or another user's."""
    with suppress(OSError):
        for each in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # closed since it was listed
                yield os.readlink(each)


def _rows(table: Path) -> list[list[str]]:
    """The sockets in a table of the kernel, proc(5); none where it has no such table."""
    try:
        return [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return []


def kept(path: Path, user: int) -> Kept:
    """How a file or folder is kept, and whether `user` may write it."""
    try:
        found = path.stat()
    except OSError:
        return Kept(str(path), False)
    return Kept(str(path), True, found.st_mode & 0o7777, user_name(found.st_uid), _may_write(path, found, user))


def user_name(user: int) -> str:
    """A user by name, or by number where it has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _may_write(path: Path, found: os.stat_result, user: int) -> bool:
    try:
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            return False
    except OSError:
        return False
    if user == os.geteuid():
        return os.access(path, os.W_OK)
    if user == 0:
        return True
    if user == found.st_uid:
        return bool(found.st_mode & 0o200)
    return bool(found.st_mode & (0o020 if found.st_gid in _groups(user) else 0o002))


def _groups(user: int) -> Sequence[int]:
    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        return ()
    return os.getgrouplist(entry.pw_name, entry.pw_gid)


def room(path: Path) -> Room:
    """The file system under the nearest folder above `path` that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    found = os.statvfs(path)
    return Room(str(path), found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)


def granted(asked: int, exceed: bool) -> int:
    """How many bytes of a receive buffer the kernel gives to somebody who may `exceed` its limit, or may not.

    It counts twice what was asked for, socket(7).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tries:
        try:
            tries.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE if exceed else socket.SO_RCVBUF, asked)
        except OSError:
            return asked  # the server may, and we may not
        return tries.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2


def empty_datagram(address: str, port: int, through: str = "") -> str:
    """Why no datagram can leave for an address, from the own address `through` if one is given; "" if it left.

    It is empty, so whoever hears it has nothing to do.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sends:
        sends.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            if through:
                sends.bind((through, 0))
            sends.sendto(b"", (address, port))
            return ""
        except OSError as problem:
            return str(problem.strerror)


def unit(name: str, writes: Sequence[Path], folders: Sequence[Path] = UNITS) -> Unit | None:
    """The unit that systemd has under a name, with what stands in its way; None if there is none.

    `writes` are folders that the server writes to. Only the unit itself is read, not what is dropped in beside it.
    """
    path = next((folder / name for folder in folders if (folder / name).exists()), None)
    if path is None:
        return None
    read = configparser.RawConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        read.read(path)
        service = dict(read["Service"])
    except (configparser.Error, KeyError, OSError, UnicodeDecodeError):
        return Unit(str(path), ["cannot be read as a unit of a service"], False)
    enabled = any((folder / "multi-user.target.wants" / name).is_symlink() for folder in folders)
    return Unit(str(path), list(_unit_problems(service, writes)), enabled)


def _unit_problems(service: dict[str, str], writes: Sequence[Path]) -> Iterator[str]:
    program = (service.get("ExecStart", "").split() or [""])[0].lstrip("@-:+!")
    if not os.access(program, os.X_OK):
        yield f"ExecStart: {program or 'nothing'} is not a program that can be run"
    user = service.get("User", "root")
    try:
        pwd.getpwnam(user)
    except KeyError:
        yield f"User: there is no {user}: useradd --system {user}"
    folder = service.get("WorkingDirectory", "/").lstrip("-")
    if not os.path.isdir(folder):
        yield f"WorkingDirectory: {folder} is not a folder"
    if service.get("ProtectSystem") == "strict":
        free = [Path(each.lstrip("-+")) for each in service.get("ReadWritePaths", "").split()]
        for each in writes:
            if not any(each.resolve().is_relative_to(one) for one in free):
                yield f"ReadWritePaths does not hold {each}, where the server writes"
