"""`monitor436 budget`, and whether what it says is true."""

import gc
import json
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

from msgspec import json as fast
from twisted.internet.defer import Deferred, execute

from monitor436.agent import wire
from monitor436.model.event import Event, Field
from monitor436.model.keys.enrolment import Bound
from monitor436.model.metrics.rollup import Rollup, Sample
from monitor436.model.server import budget
from monitor436.model.settings.whole import Settings
from monitor436.planfolder import read_planbook
from monitor436.services.event_log import lines
from monitor436.storage.sqlite import Sqlite
from tests.test_cli import CommandCase

ROOT = Path(__file__).resolve().parent.parent
FIFTH = 0.2
WHEN = datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
NAME = "host-0000001"
UDP = 28  # bytes of IPv4 and UDP headers
DIGEST = "d" * 64


class TruthTests(CommandCase):
    """Each figure, measured anew."""

    def near(self, told: float, measured: float) -> None:
        """Within a fifth."""
        self.assertLess(abs(told - measured), measured * FIFTH, f"told {told}, measured {measured}")

    def test_memory_of_ten_thousand_hosts(self) -> None:
        """Real hosts at a real doorway, in a process of their own."""
        weigh = [sys.executable, "-m", "tests.weighing", "10000", "10"]
        weighed = json.loads(subprocess.run(weigh, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
        given = (10, 0, 10.0, 5.0, 1)
        told = budget.budget(10_000, *given).memory - budget.budget(0, *given).memory
        self.near(told / 10_000, weighed["memory"])
        self.near(budget.KEPT, weighed["kept"])

    def line(self, kind: str, check: str, text: str, fields: dict[str, Field]) -> int:
        """Bytes of such a line."""
        return len(
            lines([Event(WHEN, "warning", NAME, kind, check, text, fields, ("os",), WHEN, f"{NAME}/{'a' * 16}/123456")])
        )

    def test_lines_of_the_events_file(self) -> None:
        """A change, a line of a log, and a value."""
        state: dict[str, Field] = {"state": "warning", "was": "ok", "value": 85.2}
        self.near(
            budget.LINE,
            self.line("check_state", "filesystem root", "filesystem root is 85.2: warning (above 80)", state),
        )
        text = "2026-01-02 03:04:05 ERROR payment 4711 failed: connection to db1:5432 refused"
        self.near(budget.LINE, self.line("log_line", "app errors", text, {}))
        self.near(budget.METRIC, self.line("metric", "filesystem root", "root used 24.2", {"root used": 24.211921}))

    def test_names_and_heartbeats(self) -> None:
        """As they are written and sent."""
        bound = Bound(NAME, "01" * 8, 0, True, "", "ab" * 8, "192.0.2.111", "5b0c11e2", "token")
        self.near(budget.NAMED, len(fast.encode(bound)) + 1)
        key = wire.Key(b"k" * 32)
        beat = b'{"up":1234567,"fill":4096,"plan":"%s"}' % DIGEST.encode()
        self.near(budget.BEAT, len(wire.seal(key, wire.BEAT, 0, 1 << 63, 1, beat)) + UDP)
        answer = b'{"plan":"%s","degraded":false}' % DIGEST.encode()
        self.near(budget.BEATACK, len(wire.seal(key, wire.BEATACK, 0, 1 << 63, 1, answer)) + UDP)

    def test_ten_thousand_hosts_need_the_receive_buffer_that_is_the_default(self) -> None:
        """As the settings say of it."""
        buffer = budget.budget(10_000, 1, 0, 0.0, 5.0, 1).buffer
        self.near(buffer, Settings().agents.receive_buffer)
        self.assertLessEqual(buffer, Settings().agents.receive_buffer)

    def test_a_check_of_a_plan_file(self) -> None:
        """As the file is read, and served to a host."""
        check = "  check {0}: {{log: /var/log/{0}.log, match: ['error', 'fail(ed|ure) {0}'], severity: warning}}\n"
        (self.folder / "all.yaml").write_text("checks:\n" + "".join(check.format(number) for number in range(400)))
        read_planbook(str(self.folder)).digest(NAME)  # what is made once is not weighed
        gc.collect()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        book = read_planbook(str(self.folder))
        book.digest(NAME)
        gc.collect()
        self.near(budget.CHECK, tracemalloc.get_traced_memory()[0] / 400)

    def test_summaries_in_the_file_that_keeps_them(self) -> None:
        """Every window of a hundred series, of which minutes come and go."""
        rollup, at = Rollup(10, 10), WHEN.timestamp()
        store = Sqlite(self.folder / "summaries.sqlite", execute, "")
        Deferred.fromCoroutine(store.open(at))
        for back in [*range(86400, 7200, -3600), *range(7200, 0, -60)]:
            for number in range(100):
                name, label = f"host-{number // 10:07}", f"disk read {number % 10}"
                rollup.take(Sample(name, label, 1 / (1 + number + back), at - back), at - back)
            Deferred.fromCoroutine(store.write(rollup.changed(1000), at - back))
            Deferred.fromCoroutine(store.expire(at - back))
        Deferred.fromCoroutine(store.close(at))
        self.near(budget.SERIES_KEPT, (self.folder / "summaries.sqlite").stat().st_size / 100)

    def test_an_empty_server(self) -> None:
        """Everything that it imports, in a process of its own."""
        weigh = "import tests.weighing as scales, monitor436.application, monitor436.tap; print(scales.resident())"
        done = subprocess.run([sys.executable, "-c", weigh], cwd=ROOT, check=True, capture_output=True, text=True)
        self.near(budget.EMPTY, int(done.stdout))


class BudgetTests(CommandCase):
    """The command."""

    def told(self, *words: object) -> dict[str, float]:
        """What scripts get."""
        found = json.loads(self.call("budget", "--json", *words).output)
        assert isinstance(found, dict)
        return found

    def test_each_option_costs_what_it_should(self) -> None:
        """Twice as many hosts are twice the disk; labels cost one line a minute each."""
        one = self.told("--hosts", 1000, "--checks", 10)
        self.assertEqual(one["lines"], 1000 * 10 * 10)
        self.assertEqual(self.told("--hosts", 2000, "--checks", 10)["disk"], 2 * one["disk"])
        self.assertEqual(self.told("--hosts", 1000, "--checks", 10, "--events", 20)["disk"], 2 * one["disk"])
        labels = self.told("--hosts", 1000, "--checks", 10, "--labels", 3)
        self.assertEqual(labels["disk"] - one["disk"], 1000 * 3 * 1440 * budget.METRIC)
        self.assertEqual(one["datagrams"], 400.0)

    def test_settings_are_followed(self) -> None:
        """How often hosts beat, and how much is kept."""
        self.init()
        self.settings.write_text("heartbeat: {every: 10s, late: 30s}\nevents: {rotate_at: 1MiB, keep: 0}\n")
        there = self.told("--hosts", 1000, "--checks", 10, "-c", self.settings)
        self.assertEqual(there["datagrams"], 200.0)
        self.assertEqual(there["days"], round((1 << 20) / there["disk"], 2))

    def test_people_get_a_table(self) -> None:
        """With what to set."""
        output = self.call("budget", "--hosts", 100_000, "--checks", 10, "--labels", 5).output
        self.assertEqual(len(output.splitlines()), 8)
        self.assertIn("set agents.receive_buffer", output)
        self.assertIn("is enough", self.call("budget", "--hosts", 10, "--checks", 0).output)
        self.assertIn("for ever", self.call("budget", "--hosts", 10, "--checks", 0).output)

    def test_no_hosts_are_no_fleet(self) -> None:
        """Exit status 2."""
        self.assertEqual(self.call("budget", "--checks", 10).exit_code, 2)
        self.assertEqual(self.call("budget", "--hosts", 0, "--checks", 10).exit_code, 2)
