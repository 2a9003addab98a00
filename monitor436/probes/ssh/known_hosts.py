"""Which keys hosts are known by: OpenSSH's known_hosts, as sshd(8) describes the file.

Lines may name hosts plainly, with wildcards and negation, with a port as `[host]:port`, or hashed. `@revoked` keys
are never accepted; `@cert-authority` lines are passed over, as certificates are not asked for.
"""

import hmac
import os
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

KNOWN, UNKNOWN, CHANGED, REVOKED = "known", "unknown", "changed", "revoked"
PORT = 22  # a host at this port has no port in its name
MOST = 64 << 20  # bytes of a file
MOST_REMEMBERED = 100_000  # names
USUAL = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts")


class HostKey(NamedTuple):
    """A public key: its type, such as "ssh-ed25519", and its blob in base64."""

    type: str
    key: str


class Hashed(NamedTuple):
    """A host whose name is not told: only whoever knows it finds it."""

    salt: bytes
    digest: bytes
    key: HostKey


class KnownHosts:
    """What some files say; those that are not there say nothing. `accepts`: where new keys are written, or None.

    Raises OSError for a file that cannot be read, ValueError for one that is too long. A hashed line costs about a
    microsecond for each host that is looked for, once.
    """

    def __init__(self, files: Iterable[str | Path], accepts: str | Path | None = None) -> None:
        self._plain: dict[str, list[HostKey]] = {}
        self._patterns: list[tuple[list[str], HostKey]] = []
        self._hashed: list[Hashed] = []
        self._revoked: list[tuple[str, HostKey]] = []
        self._found: dict[str, tuple[HostKey, ...]] = {}
        self._accepts = Path(accepts).expanduser() if accepts else None
        for file in dict.fromkeys([*map(str, files), *([str(accepts)] if accepts else [])]):
            self._read(Path(file).expanduser())

    def types(self, host: str, port: int) -> tuple[str, ...]:
        """The types of the keys that a host is known by; it is to be asked for these."""
        return tuple(dict.fromkeys(key.type for key in self._keys(host, port)))

    def judge(self, host: str, port: int, type: str, blob: bytes) -> str:
        """How a host's key is known: KNOWN, UNKNOWN, CHANGED (it is known by another) or REVOKED."""
        shown = HostKey(type, b64encode(blob).decode())
        name = _name(host, port)
        if any(key.key == shown.key and self._matches(field, name, host) for field, key in self._revoked):
            return REVOKED
        keys = self._keys(host, port)
        if shown in keys:
            return KNOWN
        return CHANGED if keys else UNKNOWN

    def accept(self, host: str, port: int, type: str, blob: bytes) -> None:
        """Know a host by this key from now on. Raises OSError; the line is written whole or not at all."""
        if self._accepts is None:
            raise ValueError("there is no file for new keys")
        name, key = _name(host, port), HostKey(type, b64encode(blob).decode())
        self._accepts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        line = f"{name} {key.type} {key.key}\n".encode()
        descriptor = os.open(self._accepts, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line
            if os.write(descriptor, line) != len(line):
                os.ftruncate(descriptor, size)
                raise OSError(28, "No space left on device")
        finally:
            os.close(descriptor)
        self._plain.setdefault(name, []).append(key)
        self._found.pop(name, None)

    def _read(self, path: Path) -> None:
        try:
            with open(path, "rb") as file:
                content = file.read(MOST + 1)
        except FileNotFoundError:
            return
        if len(content) > MOST:
            raise ValueError(f"{path} is longer than {MOST >> 20} MiB")
        for line in content.split(b"\n"):  # no other sign ends a line, or a comment could hold a host
            self._line(line.decode("utf-8", "replace").split())

    def _line(self, words: list[str]) -> None:
        """Lines that are none, comments and unknown markers say nothing."""
        marker = ""
        if words and words[0].startswith("@"):
            marker = words.pop(0)
        if len(words) < 3 or words[0].startswith("#") or marker not in ("", "@revoked"):
            return
        names, key = words[0].lower() if words[0][0] != "|" else words[0], HostKey(words[1], words[2])
        if marker:
            self._revoked.append((names, key))
        elif names.startswith("|"):
            hashed = _hashed(names, key)
            if hashed:
                self._hashed.append(hashed)
        elif any(sign in names for sign in "*?!"):
            self._patterns.append((names.split(","), key))
        else:
            for name in names.split(","):
                self._plain.setdefault(name, []).append(key)

    def _keys(self, host: str, port: int) -> tuple[HostKey, ...]:
        """Those of the host at this port; or those of the host, where no line has the port."""
        name = _name(host, port)
        found = self._found.get(name)
        if found is None:
            found = self._look(name) or (self._look(host) if name != host else ())
            if len(self._found) >= MOST_REMEMBERED:
                self._found.clear()
            self._found[name] = found
        return found

    def _look(self, name: str) -> tuple[HostKey, ...]:
        found = list(self._plain.get(name, ()))
        found += [key for patterns, key in self._patterns if _fits(patterns, name)]
        written, digest = name.encode(), hmac.digest
        found += [line.key for line in self._hashed if digest(line.salt, written, "sha1") == line.digest]
        return tuple(dict.fromkeys(found))

    def _matches(self, field: str, name: str, host: str) -> bool:
        if field.startswith("|"):
            line = _hashed(field, HostKey("", ""))
            return bool(line) and any(
                hmac.digest(line.salt, each.encode(), "sha1") == line.digest  # type: ignore[union-attr]
                for each in (name, host)
            )
        return _fits(field.split(","), name) or _fits(field.split(","), host)


def _name(host: str, port: int) -> str:
    host = host.lower()
    return host if port == PORT else f"[{host}]:{port}"


def _fits(patterns: list[str], name: str) -> bool:
    """As sshd(8) has it: a negated pattern that fits undoes the line."""
    fits = False
    for pattern in patterns:
        if fnmatchcase(name, _literal(pattern.removeprefix("!"))):
            if pattern.startswith("!"):
                return False
            fits = True
    return fits


def _literal(pattern: str) -> str:
    """`*` and `?` are the only signs with a meaning; `[` is part of a name with a port."""
    return pattern.replace("[", "[[]")


def _hashed(field: str, key: HostKey) -> Hashed | None:
    parts = field.split("|")
    if len(parts) != 4 or parts[1] != "1":
        return None
    try:
        return Hashed(b64decode(parts[2]), b64decode(parts[3]), key)
    except (NotBase64, ValueError):
        return None
