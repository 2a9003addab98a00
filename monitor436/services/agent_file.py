"""The agent file in the state folder, ready to be dropped on hosts."""

from collections.abc import Callable
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from monitor436.agent.wire import beacon_key, host_key
from monitor436.packer import pack
from monitor436.periodic import Periodic
from monitor436.site import Site, write_private


def packed(
    site: Site, ports: tuple[int, int], multicast: str, token: str, host: str = "", generation: int = 0
) -> dict[str, object]:
    """What goes into an agent file beside its code; `ports` are the server's and the beacons'.

    For all hosts a join token; for one `host` its key of a `generation` instead.
    """
    serial = site.packed_serial(host) if host else b""
    key = host_key(site.key, host, serial, generation) if host else b""
    identity = {"name": host, "key": key.hex(), "serial": serial.hex(), "generation": generation}
    known = {"token": "" if host else token, "pin": site.pin, "beacon_key": beacon_key(site.key).hex()}
    return {**identity, **known, "port": ports[0], "beacon_port": ports[1], "multicast": multicast}


class AgentFile(Periodic):
    """Writes the agent file at the start, and anew before its join token expires. `describe()` gives what is packed."""

    log = Logger()

    def __init__(
        self, path: Path, every: float, describe: Callable[[], dict[str, object]], clock: IReactorTime
    ) -> None:
        super().__init__("agent file", every, self.write, clock)
        self.path = path
        self._describe = describe

    def write(self) -> None:
        """Pack and replace the file; it holds the join token, so only its owner can read it."""
        try:
            write_private(self.path, self.content(), 0o700)
        except OSError as problem:
            self.log.warn("{path} cannot be written: {why}", path=self.path, why=problem.strerror)

    def content(self) -> bytes:
        """The agent file as it would be packed now."""
        return pack(self._describe())
