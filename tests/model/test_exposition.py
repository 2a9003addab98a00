"""The text of the exposition: both formats, whatever is in the labels."""

import math
import re
import unittest
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitor436.model.metrics.exposition import (
    FAMILIES,
    MOST_LABEL,
    Family,
    Sample,
    end,
    escaped,
    family_lines,
    number,
    wants_openmetrics,
)
from tests.test_docs import read, rows, section, ticked

GAUGE = Family("monitor436_x", "gauge", ("host", "label"), "Why: a \\ and\na line.")
COUNTER = Family("monitor436_x_total", "counter", ("host",), "Why.")


def text(family: Family, samples: Iterable[Sample], openmetrics: bool = False) -> str:
    """A family alone."""
    return "".join(family_lines(family, samples, openmetrics)) + end(openmetrics)


class TextTests(unittest.TestCase):
    def test_a_family_has_a_head_and_a_line_a_sample(self) -> None:
        """Escaped as each format wants it."""
        self.assertEqual(
            text(GAUGE, [(("web1", 'a "b" \\c'), 1.5)]),
            "# HELP monitor436_x Why: a \\\\ and\\na line.\n# TYPE monitor436_x gauge\n"
            'monitor436_x{host="web1",label="a \\"b\\" \\\\c"} 1.5\n',
        )

    def test_a_counter_has_another_name_in_openmetrics(self) -> None:
        """Its samples have not."""
        self.assertIn("# TYPE monitor436_x_total counter\nmonitor436_x_total", text(COUNTER, [(("a",), 1)]))
        told = text(COUNTER, [(("a",), 1)], True)
        self.assertIn('# TYPE monitor436_x counter\nmonitor436_x_total{host="a"} 1\n# EOF\n', told)

    def test_a_family_without_samples_is_not_there(self) -> None:
        """Not even its head."""
        self.assertEqual(text(GAUGE, []), "")

    def test_every_value_is_written_as_both_formats_have_it(self) -> None:
        """Not as Python has it."""
        told = [number(value) for value in (1, 1.0, 1e300, math.inf, -math.inf, math.nan, True, -0.0)]
        self.assertEqual(told, ["1", "1.0", "1e+300", "+Inf", "-Inf", "NaN", "1", "-0.0"])

    def test_what_is_long_or_not_printable_stays_one_label_among_others(self) -> None:
        """Two that differ remain two: a scrape with the same series twice would be refused as a whole."""
        names = ["x" * (MOST_LABEL + n) for n in range(3)] + ["a\nb", "a\\u000ab", "a\u202eb", "\ud800"]
        told = [escaped(name) for name in names]
        self.assertEqual(len(set(told)), len(names))
        for each in told:
            self.assertTrue(each.isprintable() and len(each) <= MOST_LABEL + 10, each)

    @given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=400), st.floats()), max_size=8))
    def test_two_parsers_read_what_was_written(self, made: list[tuple[str, str, float]]) -> None:
        """Any labels, any values."""
        samples = [((host, label), value) for (host, label), value in {each[:2]: each[2] for each in made}.items()]
        for openmetrics, parse in ((False, parse_text), (True, parse_open)):
            families = list(parse(text(GAUGE, samples, openmetrics) or end(openmetrics)))
            found = [(each.labels, each.value) for family in families for each in family.samples]
            self.assertEqual(len(found), len(samples))
            for (labels, value), ((host, label), meant) in zip(found, samples, strict=True):
                self.assertTrue(value == meant or (math.isnan(value) and math.isnan(meant)))
                if host.isprintable() and label.isprintable() and len(label) <= MOST_LABEL:
                    self.assertEqual(labels, {"host": host, "label": label})


class CatalogueTests(unittest.TestCase):
    def test_names_follow_the_conventions(self) -> None:
        """Those of prometheus.io: base units at the end, _total for what only grows, and for nothing else."""
        for family in FAMILIES.values():
            self.assertRegex(family.name, r"^(monitor436|process)_[a-z0-9_]+$")
            self.assertEqual(family.name.endswith("_total"), family.kind == "counter", family.name)
            self.assertEqual(family.name.endswith("_info"), family.kind == "info", family.name)
            self.assertNotRegex(family.name, r"(minute|hour|milli|_ms|kilo|percent)")
            self.assertTrue(family.why.endswith("."))

    def test_no_two_families_have_one_name_in_openmetrics(self) -> None:
        """There a counter loses its _total."""
        names = [re.sub("_(total|info)$", "", family.name) for family in FAMILIES.values()]
        self.assertEqual(sorted(names), sorted(set(names)))

    def test_every_family_is_told_and_no_other(self) -> None:
        """docs/prometheus.md: name, kind, labels, and the sentence."""
        told = {
            ticked(row[0])[0]: (row[1], tuple(ticked(row[2])), row[3])
            for row in rows(section(read("docs/prometheus.md"), "What there is"))
        }
        meant = {family.name: (family.kind, family.labels, family.why) for family in FAMILIES.values()}
        self.assertEqual(told, meant)


class AcceptTests(unittest.TestCase):
    def test_the_format_is_the_one_that_is_preferred(self) -> None:
        """As clients say it."""
        prometheus = (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;"
            "version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        )
        for accept, wants in (
            (prometheus, True),
            ("application/openmetrics-text; version=1.0.0", True),
            ("application/openmetrics-text", True),
            ("application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4;q=0.5", False),
            ("application/openmetrics-text;q=0.3, text/plain", False),
            ("application/openmetrics-text;q=0", False),
            ("application/openmetrics-text;q=x", False),
            ("*/*", False),
            ("text/html", False),
            (";;;,,=", False),
            ("", False),
        ):
            self.assertEqual(wants_openmetrics(accept), wants, accept)
