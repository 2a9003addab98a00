"""A real Prometheus scrapes a real server."""

import json
import shutil
import subprocess
import time
import unittest
import urllib.request
from typing import Any
from urllib.parse import quote

from msgspec import structs

from monitor436.model.settings.http import Http
from monitor436.model.settings.polls import Poll
from tests.e2e.patience import eventually
from tests.e2e.processes import Process
from tests.e2e.servers import LOOPBACK, SOON, free_port, on_loopback
from tests.e2e.stage import Stage

MISSING = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
EVIL = 'a "b" \\ {x="y"} <b>ü</b>'


def fetched(url: str, body: bytes | None = None, **headers: str) -> tuple[str, bytes]:
    """Content type and body."""
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20) as answer:
        return str(answer.headers["Content-Type"]), answer.read()


@unittest.skipIf(bool(MISSING), f"not installed: {', '.join(MISSING)} (Debian: prometheus)")
class ScrapeTests(Stage):
    def test_prometheus_has_what_the_server_knows(self) -> None:
        """A host with an agent, posted metrics with anything as label, a poll; and promtool finds no fault."""
        settings = on_loopback()
        poll = Poll(targets=("127.0.0.1:9",), every=1.0, timeout=0.5, jitter=0.0)
        http = Http(listen=settings.http.listen, without_token=("read", "metrics"))
        server = self.server(structs.replace(settings, http=http, polls={"shops": poll})).start()
        agent = self.joined(server, "web1")
        agent.write(["a line"])
        base = f"http://{http.listen}"
        fetched(f"{base}/api/perf/jarvis/{int(time.time())}", json.dumps({EVIL: 4.5}).encode())
        server.event(kind="poll_failed")
        kind, text = fetched(f"{base}/metrics")
        self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=30)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, b""))
        self._scraped(base.removeprefix("http://"))

    def _scraped(self, target: str) -> None:
        port = free_port()
        folder = self.folder / "prometheus"
        folder.mkdir()
        scrape = {"job_name": "monitor436", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
        (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scrape]}))
        words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address={LOOPBACK}:{port}"]  # fmt: skip
        prometheus = Process(["prometheus", *words], folder / "log", folder=folder)
        self.addCleanup(prometheus.kill)

        def ask(query: str) -> list[Any]:
            try:
                _, body = fetched(f"http://{LOOPBACK}:{port}/api/v1/query?query={quote(query)}")
            except OSError:
                return []
            found: list[Any] = json.loads(body)["data"]["result"]
            return found

        eventually(lambda: ask('up{job="monitor436"} == 1'), SOON, f"it is scraped; {prometheus.output[-500:]}")
        for query, value in (
            ('monitor436_host_up{host="web1"}', "1"),
            ('monitor436_metric{host="jarvis"}', "4.5"),
            ('monitor436_poll_targets_failing{poll="shops"}', "1"),
            ('sum(monitor436_events_total{kind="log_line"})', "1"),
            ('monitor436_degraded{part="events"}', "0"),
        ):
            [found] = eventually(lambda query=query: ask(query), SOON, query)  # type: ignore[misc]
            self.assertEqual(found["value"][1], value, query)
        [found] = ask("monitor436_metric")
        self.assertEqual(found["metric"]["label"], EVIL)
        self.assertEqual(ask("scrape_samples_scraped > 50")[0]["metric"]["job"], "monitor436")
