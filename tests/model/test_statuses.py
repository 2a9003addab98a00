"""Bodies of status pages: what each says, what is wrong with it, and what all say together."""

import json
import math
import statistics
import unittest
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor436.model.fleet.statuses import (
    LARGEST,
    Question,
    StatusError,
    Wanted,
    natural,
    percentile,
    read_status,
    read_wanted,
    sums,
)

GOOD: dict[str, Any] = {
    "Application": "shop", "Version": "1.2", "Uptime": 7, "Request_Count": 10, "Error_Count": 1, "Success_Count": 9,
}  # fmt: skip
USUAL = Question()


def body(**changes: Any) -> bytes:
    """A good one, with changes; None takes a field away."""
    return json.dumps({name: value for name, value in {**GOOD, **changes}.items() if value is not None}).encode()


class ReadTests(unittest.TestCase):
    """One body."""

    def wrong(self, given: bytes, question: Question = USUAL) -> str:
        """The reason and the sentence of a refusal."""
        with self.assertRaises(StatusError) as caught:
            read_status(given, question)
        return f"{caught.exception.reason}: {caught.exception}"

    def test_a_good_body_gives_group_numbers_and_rate(self) -> None:
        """What is not asked for is not looked at."""
        status = read_status(body(Other=[1]), USUAL)
        self.assertEqual(status.group, ("shop", "1.2"))
        self.assertEqual(status.numbers, {"Success_Count": 9, "Request_Count": 10, "Error_Count": 1})
        self.assertEqual(status.counted, (9, 10))

    def test_what_is_no_object_is_told(self) -> None:
        """A list, a text, a number, nothing."""
        told = {
            b"[1, 2]": "schema: the body is a JSON list, expected a JSON object",
            b'"ok"': 'schema: the body is the text "ok", expected a JSON object',
            b"7": "schema: the body is 7, expected a JSON object",
            b"null": "schema: the body is null, expected a JSON object",
            b"": "json: the body is empty",
            b" \n": "json: the body is empty",
            b"<html>": "json: the body is not JSON: ",
            b'{"a":"\xff"}': "json: the body is not JSON: ",
            b'{"a":NaN}': "json: the body is not JSON: ",
            b"[" * 100_000: "json: the body is nested too deeply",
        }
        for raw, sentence in told.items():
            self.assertTrue(self.wrong(raw).startswith(sentence), self.wrong(raw))

    def test_counts_that_are_none_are_told(self) -> None:
        """Missing, text, negative, half, true, beyond all bounds."""
        told = {
            None: "schema: the body has no Success_Count",
            "9": 'schema: Success_Count is the text "9", expected a whole number',
            -1: "schema: Success_Count is -1, expected 0 to",
            9.5: "schema: Success_Count is 9.5, expected a whole number",
            True: "schema: Success_Count is true, expected a whole number",
            10**40: "schema: Success_Count is a number of 41 digits, expected 0 to",
            1e300: "schema: Success_Count is 1e+300, expected 0 to",
        }
        for count, sentence in told.items():
            self.assertIn(sentence, self.wrong(body(Success_Count=count)))
        self.assertIn("Success_Count is a JSON list", self.wrong(body(Success_Count=[])))
        self.assertIn("the body has no Request_Count", self.wrong(body(Request_Count=None)))
        self.assertEqual(read_status(body(Success_Count=9.0), USUAL).counted, (9, 10))

    def test_two_hundred_percent_are_no_success_rate(self) -> None:
        """Nor are successes without a request."""
        self.assertEqual(
            self.wrong(body(Success_Count=20)), "schema: Success_Count is 20 of 10 in Request_Count, which is 200 %"
        )
        self.assertIn("1 of 0", self.wrong(body(Success_Count=1, Request_Count=0)))

    def test_names_of_groups_are_texts(self) -> None:
        """A whole number may stand for one; 1.10 would be taken for 1.1."""
        self.assertEqual(read_status(body(Version=2, Application=True), USUAL).group, ("true", "2"))
        for version in (1.1, "", "x" * 201, {}, []):
            self.assertIn("schema: Version ", self.wrong(body(Version=version)))
        self.assertIn("the body has no Version", self.wrong(body(Version=None)))

    def test_other_fields_also_nested_ones(self) -> None:
        """A key with a dot in it comes first; counts need not be there, but have to be right if they are."""
        question = Question(("status",), (Wanted("queue.depth", "max"), Wanted("a.b", "sum")), counts=False)
        given = {"status": "ok", "queue": {"depth": 3}, "a.b": 1.5, "a": {"b": 9}}
        status = read_status(json.dumps(given).encode(), question)
        self.assertEqual(
            (status.group, status.numbers, status.counted), (("ok",), {"queue.depth": 3, "a.b": 1.5}, None)
        )
        self.assertIn("no queue.depth", self.wrong(json.dumps({**given, "queue": 3}).encode(), question))
        self.assertIn("expected a number", self.wrong(json.dumps({**given, "a.b": "1"}).encode(), question))
        self.assertIn("expected a number", self.wrong(json.dumps({**given, "a.b": True}).encode(), question))
        self.assertIn("out of all bounds", self.wrong(json.dumps({**given, "a.b": 1.7e308}).encode(), question))
        self.assertIn(
            "5 of 3", self.wrong(json.dumps({**given, "Success_Count": 5, "Request_Count": 3}).encode(), question)
        )

    @given(st.binary(max_size=300))
    def test_any_bytes_are_read_or_refused(self, given: bytes) -> None:
        """Nothing else is raised."""
        with self.assertRaises(StatusError):
            read_status(given, USUAL)

    @settings(max_examples=200)
    @given(
        st.dictionaries(
            st.sampled_from(list(GOOD)),
            st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=4),
        )
    )
    def test_any_values_are_read_or_refused(self, changes: dict[str, Any]) -> None:
        """And whatever is read is a rate."""
        try:
            status = read_status(json.dumps({**GOOD, **changes}).encode(), USUAL)
        except StatusError as wrong:
            self.assertIn(wrong.reason, ("json", "schema"))
        else:
            assert status.counted
            self.assertTrue(0 <= status.counted.well <= status.counted.of)


NUMBERS = st.integers(-(10**30), 10**30) | st.floats(-LARGEST, LARGEST, allow_subnormal=False)


class SumTests(unittest.TestCase):
    """Many bodies."""

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["shop", "auth", "a b"]),
                st.sampled_from(["1", "1.10", "1.9", "é"]),
                st.integers(0, 10**15),
                st.integers(0, 10**15),
                NUMBERS,
            ),
            max_size=40,
        )
    )
    def test_sums_are_those_of_a_recomputation(self, told: list[tuple[str, str, int, int, float]]) -> None:
        """Group by group, in exact fractions and by other functions than ours."""
        hows = ("sum", "mean", "min", "max", "p50", "p99.9", "p0", "p100")
        question = Question(wanted=(*USUAL.wanted, *(Wanted("Uptime", how) for how in hows)))
        bodies = [
            json.dumps(
                {"Application": app, "Version": version, "Success_Count": well, "Request_Count": well + more,
                 "Error_Count": more, "Uptime": uptime}
            ).encode()
            for app, version, well, more, uptime in told
        ]  # fmt: skip
        found = {each.group: each for each in sums((read_status(given, question) for given in bodies), question)}
        self.assertEqual(set(found), {(app, version) for app, version, *_ in told})
        for group, each in found.items():
            mine = [row for row in told if row[:2] == group]
            uptimes = sorted(row[4] for row in mine)
            self.assertEqual(each.hosts, len(mine))
            self.assertEqual(each.columns["Success_Count"], sum(row[2] for row in mine))
            self.assertEqual(each.columns["Error_Count"], sum(row[3] for row in mine))
            self.assertEqual(each.counted, (sum(row[2] for row in mine), sum(row[2] + row[3] for row in mine)))
            exact = sum(map(Fraction, uptimes))
            spread = float(max(map(abs, uptimes))) * 1e-12
            self.assertLessEqual(abs(Fraction(each.columns["Uptime"]) - exact), Fraction(spread * len(mine)))
            self.assertLessEqual(abs(Fraction(each.columns["Uptime mean"]) - exact / len(mine)), Fraction(spread))
            self.assertEqual(each.columns["Uptime min"], uptimes[0])
            self.assertEqual(each.columns["Uptime max"], uptimes[-1])
            self.assertEqual(each.columns["Uptime p50"], statistics.median_low(uptimes))
            self.assertEqual((each.columns["Uptime p0"], each.columns["Uptime p100"]), (uptimes[0], uptimes[-1]))

    @given(st.lists(st.integers(0, 100), min_size=1), st.integers(1, 1000))
    def test_a_percentile_is_the_least_value_that_so_many_are_not_above(self, values: list[int], tenths: int) -> None:
        """By its definition."""
        values.sort()
        wanted = next(value for value in values if sum(each <= value for each in values) * 1000 >= tenths * len(values))
        self.assertEqual(percentile(list(values), tenths / 10), wanted)

    def test_a_group_has_a_rate_only_if_all_of_it_tell_counts(self) -> None:
        """Else it would be that of other hosts."""
        question = Question(("Application",), (Wanted("Uptime", "mean"),), counts=False)
        told = [body(), body(Uptime=9), body(Application="auth"), body(Application="auth", Request_Count=None)]
        auth, shop = sums([read_status(given, question) for given in told], question)
        self.assertEqual((auth.hosts, auth.counted), (2, None))
        self.assertEqual((shop.counted, shop.columns), ((18, 20), {"Uptime mean": 8.0}))

    def test_numbers_too_large_for_a_float_are_summed_exactly(self) -> None:
        """Three counters near the end of 64 bits."""
        most = 2**63 - 1
        bodies = [body(Success_Count=most, Request_Count=most)] * 3
        self.assertEqual(
            sums([read_status(each, USUAL) for each in bodies], USUAL)[0].columns["Success_Count"], 3 * most
        )

    def test_the_largest_numbers_have_a_finite_sum(self) -> None:
        """As many as an inventory may list."""
        self.assertTrue(math.isfinite(LARGEST * 100_000))

    def test_versions_are_in_the_order_of_people(self) -> None:
        """Pre-releases before what they lead to."""
        ordered = ["1.9", "1.10", "2.0-alpha", "2.0-rc1", "2.0-rc2", "2.0", "2.0.1", "10"]
        self.assertEqual(sorted(set(ordered), key=natural), ordered)
        self.assertNotEqual(natural("1.0"), natural("1_0"))


class WantedTests(unittest.TestCase):
    """Columns as they are asked for."""

    def test_columns_are_read(self) -> None:
        """A field may hold a colon."""
        self.assertEqual(
            [each.column for each in read_wanted("Uptime:sum,mean,p99.9")], ["Uptime", "Uptime mean", "Uptime p99.9"]
        )
        self.assertEqual(read_wanted("a:b:max"), [Wanted("a:b", "max")])

    def test_columns_that_are_none_are_told(self) -> None:
        """In one sentence."""
        for text in ("Uptime", ":sum", "Uptime:", "Uptime:avg", "Uptime:p101", "Uptime:p-1", "Uptime:sum,,max"):
            with self.assertRaisesRegex(ValueError, "expected ", msg=text):
                read_wanted(text)
