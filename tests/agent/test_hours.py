"""Active hours: days and times of the week, also over midnight."""

import time
import unittest

from monitor436.agent.hours import DAYS, Hours, span


def awake(text: str, day: str, clock: str) -> bool:
    """Whether a check with these hours is awake then."""
    hours, minutes = clock.split(":")
    return Hours((text,)).awake(DAYS.index(day), int(hours) * 60 + int(minutes))


class HoursTests(unittest.TestCase):
    def test_without_hours_it_is_always_awake(self) -> None:
        """Nothing said is no limit."""
        self.assertTrue(all(Hours(()).awake(day, minute) for day in range(7) for minute in range(1440)))

    def test_days_and_times_are_a_span_that_ends_before_its_last_minute(self) -> None:
        """From 08:00 to 17:59, Monday to Friday."""
        told = [awake("mon-fri 08:00-18:00", *when.split()) for when in ("mon 07:59", "mon 08:00", "fri 17:59")]
        self.assertEqual(told, [False, True, True])
        self.assertFalse(awake("mon-fri 08:00-18:00", "fri", "18:00"))
        self.assertFalse(awake("mon-fri 08:00-18:00", "sat", "12:00"))

    def test_a_span_over_midnight_belongs_to_the_day_on_which_it_starts(self) -> None:
        """Friday night ends on Saturday morning; Friday morning is the end of Thursday night."""
        self.assertTrue(awake("fri 22:00-06:00", "fri", "22:00"))
        self.assertTrue(awake("fri 22:00-06:00", "sat", "05:59"))
        self.assertFalse(awake("fri 22:00-06:00", "sat", "06:00"))
        self.assertFalse(awake("fri 22:00-06:00", "fri", "05:00"))
        self.assertTrue(awake("sun 22:00-06:00", "mon", "01:00"))

    def test_days_alone_are_whole_days_and_times_alone_every_day(self) -> None:
        """Both may be left out, not together."""
        self.assertTrue(awake("sat,sun", "sun", "23:59"))
        self.assertFalse(awake("sat,sun", "mon", "00:00"))
        self.assertTrue(awake("00:00-24:00", "wed", "12:00"))
        self.assertTrue(awake("23:00-01:00", "wed", "00:30"))

    def test_ranges_of_days_go_round_the_week(self) -> None:
        """Friday to Monday is four days."""
        self.assertEqual(span("fri-mon").days, (0, 4, 5, 6))
        self.assertEqual(span("mon,wed-thu,SUN 10:00-11:00").days, (0, 2, 3, 6))
        self.assertEqual(span("mon-mon").days, (0,))

    def test_several_spans_are_one_or_the_other(self) -> None:
        """Mornings and evenings."""
        hours = Hours(("06:00-08:00", "18:00-20:00"))
        self.assertEqual([hours.awake(0, clock * 60) for clock in (5, 6, 8, 18, 20)], [False, True, False, True, False])

    def test_every_minute_of_the_week_is_as_counting_says(self) -> None:
        """A span over midnight is as many minutes as it is long, on each of its days."""
        hours = Hours(("mon-fri 22:00-06:00",))
        self.assertEqual(sum(hours.awake(day, minute) for day in range(7) for minute in range(1440)), 5 * 8 * 60)

    def test_what_is_no_span_is_refused_with_a_sentence(self) -> None:
        """Never taken for something else."""
        wrong = "|mon-fri 8:00-18:00|funday|mon 18:00|08:00-08:00|25:00-26:00|mon 08:00-24:30|mon tue|08:00-18:00 mon"
        for text in wrong.split("|"):
            with self.assertRaises(ValueError) as refused:
                span(text)
            self.assertIn("expected", str(refused.exception), text)

    def test_a_change_to_summer_time_shortens_the_night_and_nothing_else(self) -> None:
        """Each second of a week around it, by the clock on the wall of Berlin."""
        local = wall_of("Europe/Berlin")
        hours = Hours(("sun 01:30-03:30",))
        begins = 1774742400  # Sunday, 29 March 2026, 00:00 UTC
        minutes = [local(begins + 60 * minute) for minute in range(-120, 240)]
        spent = sum(hours.awake(when.tm_wday, when.tm_hour * 60 + when.tm_min) for when in minutes)
        self.assertEqual(spent, 60)  # 01:30 to 02:00, then 03:00 to 03:30
        begins = 1792886400  # Sunday, 25 October 2026, 00:00 UTC
        minutes = [local(begins + 60 * minute) for minute in range(-180, 240)]
        spent = sum(hours.awake(when.tm_wday, when.tm_hour * 60 + when.tm_min) for when in minutes)
        self.assertEqual(spent, 180)  # the hour from 02:00 to 03:00 comes twice


def wall_of(zone: str) -> "object":
    """What a clock on the wall of a place shows at a time, whatever zone this machine is in."""
    import os

    def local(at: float) -> "time.struct_time":
        before = os.environ.get("TZ")
        os.environ["TZ"] = {"Europe/Berlin": "CET-1CEST,M3.5.0,M10.5.0/3"}[zone]
        time.tzset()
        try:
            return time.localtime(at)
        finally:
            if before is None:
                del os.environ["TZ"]
            else:
                os.environ["TZ"] = before
            time.tzset()

    return local
