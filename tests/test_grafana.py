"""The dashboard for Grafana: every query in it asks for what the exposition has."""

import json
import re
import shutil
import subprocess
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monitor436.model.metrics.exposition import FAMILIES
from tests.test_layers import ROOT

OURS = re.compile(r"\b(?:monitor436|process)_[a-z0-9_]+")
LABELS = {family.name: set(family.labels) | {"job", "instance"} for family in FAMILIES.values()}
VARIABLES = {"$__rate_interval": "5m", "$host": "web.*", "$label": ".+", "$job": "monitor436"}


class DashboardTests(unittest.TestCase):
    whole: Any = json.loads((ROOT / "etc/grafana/monitor436.json").read_text("utf-8"))

    def queries(self) -> Iterator[tuple[str, str]]:
        """Each query, and the legend under it."""
        for panel in self.whole["panels"]:
            for target in panel["targets"]:
                yield target["expr"], target["legendFormat"]
        for variable in self.whole["templating"]["list"]:
            if variable["type"] == "query":
                yield variable["query"], ""

    def test_every_query_asks_for_what_there_is(self) -> None:
        """Names, and the labels in braces, in `by` and in legends."""
        asked = set()
        for query, legend in self.queries():
            names = OURS.findall(query)
            self.assertTrue(names, query)
            self.assertLessEqual(set(names), LABELS.keys(), query)
            known = set.union(*(LABELS[name] for name in names))
            labels = set(re.findall(r"([a-z]+)=~?\"", query)) | set(re.findall(r"{{([a-z]+)}}", legend))
            for group in re.findall(r"by \(([^)]*)\)", query):
                labels |= {label.strip() for label in group.split(",")}
            labels |= set(re.findall(r"label_values\(\w+, (\w+)\)", query))
            self.assertLessEqual(labels, known, query)
            asked |= set(names)
        self.assertGreater(len(asked), 20)

    def test_every_variable_that_is_used_is_there(self) -> None:
        """And each that is there is used."""
        there = {variable["name"] for variable in self.whole["templating"]["list"]}
        text = json.dumps(self.whole["panels"])
        used = set(re.findall(r"\$\{?([a-z]+)", text.replace("$__rate_interval", "")))
        self.assertEqual(used, there)

    def test_panels_do_not_overlap(self) -> None:
        """Each place of the grid is taken once."""
        taken = set()
        for panel in self.whole["panels"]:
            place = panel["gridPos"]
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, panel["title"])
                    taken.add((x, y))
            self.assertLessEqual(place["x"] + place["w"], 24)
        self.assertEqual(len({panel["id"] for panel in self.whole["panels"]}), len(self.whole["panels"]))

    @unittest.skipIf(shutil.which("promtool") is None, "needs promtool (Debian: prometheus)")
    def test_prometheus_understands_every_query(self) -> None:
        """And the rules for alerts that docs/prometheus.md shows, as a file of rules."""
        rules = [query for query, _ in self.queries() if not query.startswith("label_values")]
        page = (ROOT / "docs/prometheus.md").read_text("utf-8")
        shown = re.search(r"rules for alerts:\n\n```text\n(.*?)```", page, re.S)
        assert shown
        rules += shown[1].splitlines()
        for name in OURS.findall(shown[1]):
            self.assertIn(name, LABELS)
        for name, value in VARIABLES.items():
            rules = [rule.replace(name, value) for rule in rules]
        tree = {
            "groups": [{"name": "all", "rules": [{"record": f"r{n}", "expr": rule} for n, rule in enumerate(rules)]}]
        }
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rules.yml"
            path.write_text(json.dumps(tree))
            done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
