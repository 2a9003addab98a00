"""A real Prometheus scrapes a real server."""

import json
import shutil
import subprocess
import time
import unittest
import urllib.request
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from msgspec import structs

from monitor436.model.settings.http import Http
from monitor436.model.settings.polls import Poll
from monitor436.model.settings.sweeps import Sweep
from tests.e2e.patience import Impatience, eventually
from tests.e2e.ports import LOOPBACK, free_port
from tests.e2e.processes import Process
from tests.e2e.servers import SOON, on_loopback
from tests.e2e.stage import Stage

MISSING = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
EVIL = 'a "b" \\ {x="y"} <b>ü</b>'


def fetched(url: str, body: bytes | None = None, **headers: str) -> tuple[str, bytes]:
    """Content type and body."""
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20) as answer:
        return str(answer.headers["Content-Type"]), answer.read()


class Prometheus:
    """One that scrapes `target` each second, with all its files in `folder`."""

    def __init__(self, folder: Path, target: str) -> None:
        folder.mkdir()
        self._api = f"http://{LOOPBACK}:{free_port()}/api/v1"
        scrape = {"job_name": "monitor436", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
        (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scrape]}))
        words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address={urlsplit(self._api).netloc}"]  # fmt: skip
        self.process = Process(["prometheus", *words], folder / "log", folder=folder)

    def gives(self, query: str, wanted: list[str], *where: str | int) -> None:
        """Wait until a query gives just these; `where` they stand in each of the series that it answers with."""
        given: Any = None

        def look() -> bool:
            nonlocal given
            given = self._ask(f"query?query={quote(query)}")
            found = [reduce(getitem, where, each) for each in given["result"]] if "result" in given else None
            return found == wanted or not self.process.runs

        try:
            eventually(look, SOON, query)
        except Impatience:
            up, targets = self._ask("query?query=up"), self._ask("targets").get("activeTargets", ())
            errors = [each.get("lastError") for each in targets]
            raise AssertionError(f"{query} gave {given} and not {wanted}; {up=}, {errors=}, {self._end()}") from None
        if not self.process.runs:
            raise AssertionError(f"Prometheus ended; {self._end()}")

    def _ask(self, page: str) -> dict[str, Any]:
        """The data of an answer, or what was in the way of it."""
        try:
            found: dict[str, Any] = json.loads(fetched(f"{self._api}/{page}")[1])["data"]
        except OSError as problem:
            return {"problem": str(problem)}
        return found

    def _end(self) -> str:
        return f"it said last: {self.process.output[-500:]}"


@unittest.skipIf(bool(MISSING), f"not installed: {', '.join(MISSING)} (Debian: prometheus)")
class ScrapeTests(Stage):
    def test_prometheus_has_what_the_server_knows(self) -> None:
        """A host with an agent, posted metrics with anything as label, a poll, a sweep; and promtool finds no fault."""
        settings = on_loopback()
        poll = Poll(targets=("127.0.0.1:9",), every=1.0, timeout=0.5, jitter=0.0)
        http = Http(listen=settings.http.listen, without_token=("read", "metrics"))
        (self.folder / "known").touch()
        sweep = Sweep(targets=("127.0.0.1:9",), agent="/none", known_hosts=(str(self.folder / "known"),), every=1.0,
                      timeout=0.5, jitter=0.0)  # fmt: skip
        settings = structs.replace(settings, http=http, polls={"shops": poll}, sweeps={"fleet": sweep})
        server = self.server(settings).start()
        agent = self.joined(server, "web1")
        agent.write(["a line"])
        base = f"http://{http.listen}"
        fetched(f"{base}/api/perf/jarvis/{int(time.time())}", json.dumps({EVIL: 4.5}).encode())
        server.event(kind="poll_failed")
        server.event(kind="sweep_failed")
        kind, text = fetched(f"{base}/metrics")
        self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=30)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, b""))
        prometheus = Prometheus(self.folder / "prometheus", base.removeprefix("http://"))
        self.addCleanup(prometheus.process.kill)
        for query, value in (
            ('up{job="monitor436"}', "1"),
            ('monitor436_host_up{host="web1"}', "1"),
            ('monitor436_metric{host="jarvis"}', "4.5"),
            ('monitor436_poll_targets_failing{poll="shops"}', "1"),
            ('monitor436_sweep_hosts_failing{sweep="fleet"}', "1"),
            ('sum(monitor436_events_total{kind="log_line"})', "1"),
            ('monitor436_degraded{part="events"}', "0"),
            ("scrape_samples_scraped > bool 50", "1"),
        ):
            prometheus.gives(query, [value], "value", 1)
        prometheus.gives("monitor436_metric", [EVIL], "metric", "label")
