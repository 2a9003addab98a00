"""Ten hosts that answer ssh on loopback, and a sweep that asks them each second."""

from pathlib import Path
from typing import Any

from monitor436.demo.ssh_hosts import SshHost, known_line, new_key, proc_uptime
from monitor436.model.settings.sweeps import Sweep

HOSTS = tuple(f"127.4.36.{number}" for number in range(1, 11))
USER = "demo"
UP = 5_677_620.0  # seconds they have been up: 65 days, 17:07
BOOT = "00000000-0000-4000-8000-{:012}"


class SshFleet:
    """They listen as soon as they are made; keys and known hosts are in `folder`."""

    def __init__(self, folder: Path, reactor: Any) -> None:
        self._up = dict.fromkeys(HOSTS, UP)
        self._boots = dict.fromkeys(HOSTS, 1)
        ours, theirs = new_key(), new_key()
        folder.mkdir()
        self._key, self._known = folder / "id_ed25519", folder / "known_hosts"
        self._key.touch(0o600)
        self._key.write_bytes(ours.toString("openssh"))
        self._doors = []
        places = []
        for host in HOSTS:
            answers = lambda command, host=host: proc_uptime(lambda: self._up[host], self._boot(host))(command)  # noqa: E731
            door = reactor.listenTCP(0, SshHost(theirs, USER, [ours], answers, reactor), interface=host)
            self._doors.append(door)
            places.append((host, door.getHost().port))
        self._known.write_text("".join(known_line(f"[{host}]:{port}", theirs) for host, port in places))
        self._targets = tuple(f"{USER}@{host}:{port}" for host, port in places)

    @property
    def sweep(self) -> Sweep:
        """What asks them."""
        return Sweep(targets=self._targets, keys=(str(self._key),), known_hosts=(str(self._known),), every=1.0,
                     jitter=0.0, timeout=1.0)  # fmt: skip

    def reboot(self, host: str) -> None:
        """One begins anew."""
        self._up[host] = 3.0
        self._boots[host] += 1

    def close(self) -> None:
        """They listen no more."""
        for door in self._doors:
            door.stopListening()

    def _boot(self, host: str) -> str:
        return BOOT.format(self._boots[host])
