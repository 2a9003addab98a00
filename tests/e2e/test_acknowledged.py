"""What a server has acknowledged it has: whichever way it ends, and however much is arriving at that moment."""

import json
import signal
from collections.abc import Callable

from msgspec import structs

from monitor436.agent import wire
from monitor436.model.settings.hosts import Beacon
from tests.e2e.patience import eventually
from tests.e2e.ports import LOOPBACK, free_port
from tests.e2e.servers import SOON, on_loopback
from tests.e2e.stage import Stage
from tests.e2e.wiretap import Wiretap

LINES = 20_000
CAUGHT_UP = 120.0  # seconds in which a server that is back has them all, also where others keep the disk busy
FIRST = 1000  # acknowledged before the server is ended: then the rest is on its way


class AcknowledgedTests(Stage):
    """An agent that has much to tell, and a relay that reads what the server has acknowledged."""

    def setUp(self) -> None:
        super().setUp()
        say, hears = free_port(), free_port()
        beacon = Beacon(port=say, every=0.5, to=(LOOPBACK,), multicast="")
        self.site = self.server(structs.replace(on_loopback(), beacon=beacon)).start()
        key = (self.site.var / "site" / "site.key").read_bytes()
        self.tap = Wiretap(say, hears, self.site.settings.agents.port, wire.beacon_key(key))
        self.addCleanup(self.tap.close)
        self.host = self.agent(self.site, "web1", "--port", str(hears))
        self.site.follow(self.host.log)
        self.host.start()
        self.site.follows("web1")

    def in_file(self) -> dict[str, int]:
        """The highest number of each of the agent's spools that is in the file."""
        last: dict[str, int] = {}
        for event in self.site.events(host="web1"):
            origin, spool, number = event["id"].split("/")
            if origin == "web1":
                last[spool] = max(int(number), last.get(spool, 0))
        return last

    def end_under_load(self, end: Callable[[], object]) -> None:
        """End the server while events arrive: the file has whatever was acknowledged, and in the end everything."""
        lines = [f"line {number}" for number in range(LINES)]
        self.host.write(lines)
        eventually(lambda: sum(self.tap.acknowledged().values()) >= FIRST, SOON, "some is acknowledged", poll=0.001)
        end()
        acknowledged, found = self.tap.acknowledged(), self.in_file()
        self.assertLess(sum(acknowledged.values()), LINES, "everything was told before the server ended")
        for spool, number in acknowledged.items():
            self.assertGreaterEqual(found[spool], number)
        self.complete(self.site)
        self.site.start()
        eventually(lambda: len(self.site.lines("web1")) >= LINES, CAUGHT_UP, "all lines are told")
        self.assertEqual(self.site.lines("web1"), lines)
        self.complete(self.site)

    def test_a_server_that_is_stopped_under_load_has_what_it_acknowledged(self) -> None:
        """Its last line says that it stopped, and nothing stands after it."""

        def stop() -> None:
            self.assertEqual(self.site.stop(), -signal.SIGTERM)
            last = json.loads(self.site.file.read_bytes().splitlines()[-1])
            self.assertEqual(last["kind"], "server_stopped")

        self.end_under_load(stop)

    def test_a_server_that_is_killed_under_load_has_what_it_acknowledged(self) -> None:
        """Without a checkpoint, it learns from the file itself what it has."""
        self.end_under_load(self.site.kill)
