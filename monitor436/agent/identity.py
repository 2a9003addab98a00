"""Who this host is: what was packed into the agent file, and what the host keeps in its state folder."""

import fcntl
import json
import os
import stat
from collections import namedtuple

from monitor436.agent import wire
from monitor436.agent.store.durable import replace

Packed = namedtuple("Packed", "pin beacon_key beacon_port port multicast token name key serial generation")


class Identity(namedtuple("Identity", "name key serial generation beacon_key origin")):
    """Who this host is. `beacon_key` is that of its site, if it is not the one in the agent file; `origin` tells which
    key was packed in the agent file, if there was one: a host that was moved to another key goes on with that."""

    __slots__ = ()

    def __new__(
        cls, name: str, key: bytes, serial: bytes, generation: int, beacon_key: bytes = b"", origin: str = ""
    ) -> "Identity":
        return super().__new__(cls, name, key, serial, generation, beacon_key, origin)

    def proof(self) -> "dict[str, object]":
        """What the TLS door has to be shown, as `door.exchange` takes it."""
        return {
            "name": self.name, "key": self.key.hex(), "serial": self.serial.hex(), "generation": self.generation
        }  # fmt: skip


class StateError(Exception):
    """The state folder or the agent file cannot be used; the text says what to do."""


def read_packed(text: bytes) -> Packed:
    """What `monitor436 agent pack` wrote into the file. Raises StateError."""
    try:
        packed = json.loads(text.decode("utf-8"))
        return Packed(
            pin=str(packed["pin"]),
            beacon_key=bytes.fromhex(packed["beacon_key"]),
            beacon_port=int(packed["beacon_port"]),
            port=int(packed["port"]),
            multicast=str(packed["multicast"]),
            token=str(packed["token"]),
            name=str(packed["name"]),
            key=bytes.fromhex(packed["key"]),
            serial=bytes.fromhex(packed["serial"]),
            generation=int(packed["generation"]),
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise StateError("this agent file is damaged ({!r}): pack it again".format(problem)) from None


class State:
    """The state folder: 0700, ours, and used by one agent at a time."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            _refuse_if_others_can_write(folder)
            self._lock = os.open(self.path("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise StateError("{}: {} (another folder: --state DIR)".format(folder, problem.strerror)) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StateError("{}: another agent is using this folder".format(folder)) from None

    def path(self, name: str) -> str:
        """A file in the folder."""
        return os.path.join(self.folder, name)

    def read(self, name: str) -> "bytes | None":
        """What a file of ours holds; None if it does not exist. Raises StateError if others could have written it."""
        path = self.path(name)
        try:
            _refuse_if_others_can_write(path)
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise StateError("{}: {}".format(path, problem.strerror)) from None

    def write(self, name: str, content: bytes) -> None:
        """Replace a file, durably: after a power cut it is the old one or the new one. Raises OSError."""
        replace(self.path(name), content)

    def identity(self) -> "Identity | None":
        """Who this host became at its join; None before. Raises StateError."""
        text = self.read("identity.json")
        if text is None:
            return None
        try:
            kept = json.loads(text.decode("utf-8"))
            return Identity(
                kept["name"],
                bytes.fromhex(kept["key"]),
                bytes.fromhex(kept["serial"]),
                int(kept["generation"]),
                bytes.fromhex(kept.get("beacon_key", "")),
                str(kept.get("origin", "")),
            )
        except (KeyError, TypeError, ValueError):
            raise StateError("{} is damaged: remove it to join again".format(self.path("identity.json"))) from None

    def keep_identity(self, identity: Identity) -> None:
        """Keep what the join gave, before it is used. Raises OSError."""
        kept = identity._asdict()
        kept.update(key=identity.key.hex(), serial=identity.serial.hex(), beacon_key=identity.beacon_key.hex())
        self.write("identity.json", json.dumps(kept).encode())


def host_name(given: str, nodename: str) -> str:
    """The name of this host: the one given, or what the machine calls itself, without its domain. Raises StateError."""
    name = given or nodename.split(".")[0].lower()
    if not wire.HOST_NAME.match(name):
        raise StateError(
            "{!r} cannot be a host's name: a-z, 0-9, dot, dash, at most 63 (choose: --name NAME)".format(name)
        )
    return name


def _refuse_if_others_can_write(path: str) -> None:
    found = os.stat(path)
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StateError("{}: others can write it: chmod go-w, chown to the agent's user".format(path))
