"""Every form in which hosts print how long they have been up."""

import unittest

from hypothesis import given
from hypothesis import strategies as st

from monitor436.model.sweep.uptime import UptimeError, printed, read_boot, read_uptime, went_back

DAY, HOUR, MINUTE = 86400, 3600, 60
PRINTED = {
    b"350735.47 234388.90\n": 350735.47,
    b" 17:07:01 up 65 days, 17:07,  1 user,  load average: 0.00, 0.01, 0.05\n": 65 * DAY + 17 * HOUR + 7 * MINUTE,
    b" 17:07:01 up 5 min,  0 users,  load average: 0,00, 0,01, 0,05\n": 5 * MINUTE,
    b" 17:07:01 up  2:03,  no users,  load average: 0.00\n": 2 * HOUR + 3 * MINUTE,
    b" 17:07:01 up 1 day, 3 min,  2 users,  load average: 0.1, 0.1, 0.1": DAY + 3 * MINUTE,
    b"up 1 week, 2 days, 3 hours, 4 minutes\n": 9 * DAY + 3 * HOUR + 4 * MINUTE,
    b"up 1 year, 2 weeks\n": 379 * DAY,
    b" 17:07:01 up 65 days, 17:07,  load average: 0.00, 0.01, 0.05\n": 65 * DAY + 17 * HOUR + 7 * MINUTE,
    b"10:07PM  up 65 days, 17:07, 1 user, load averages: 0.00, 0.01, 0.05\n": 65 * DAY + 17 * HOUR + 7 * MINUTE,
    b"10:07PM  up 1 day, 2 hrs, 1 user, load averages: 0.00": DAY + 2 * HOUR,
    b"10:07PM  up 1 hr, 1 user, load averages: 0.00": HOUR,
    b"10:07  up 3 secs, 2 users, load averages: 1.52 1.61 1.70\n": 3,
    b"10:07  up 3 days, 22 mins, 2 users, load averages: 1.52 1.61 1.70\n": 3 * DAY + 22 * MINUTE,
    b"  5:07pm  up 65 day(s), 17:07,  1 user,  load average: 0.00": 65 * DAY + 17 * HOUR + 7 * MINUTE,
    b"  5:07pm  up 2 min(s),  1 user,  load average: 0.00": 2 * MINUTE,
    b"  05:07PM   up 65 days,  17:07,  1 user,  load average: 1.0": 65 * DAY + 17 * HOUR + 7 * MINUTE,
    b" 17:07:01 up 65 Tage, 17:07\n10.5 9.1\n": 10.5,
    b" 17:07:01 up 65 days, 17:07,  1 Benutzer,  Durchschnittslast: 0,00": 65 * DAY + 17 * HOUR + 7 * MINUTE,
    b"Welcome to web1!\r\n\r\n 17:07:01 up 7 min,  1 user,  load average: 0.00\r\n": 7 * MINUTE,
}
NOT = (
    b"", b"\n\n", b"sh: uptime: not found", b"up", b"up ", b"up since yesterday", b"17:07 up 65 Tage, 3 Stunden",
    b"up 1 day, 5 Stunden", b"up ??? days", b"12.5", b"\xff\xfe\x00", b"up -3 days", b"up 5", b"backup 5 min",
    b"up 999999 decades", b"1e5 2e5", b"up 3 days ago today", b"99999999999.5 1.0",
)  # fmt: skip


class PrintedTests(unittest.TestCase):
    def test_every_known_form_is_understood(self) -> None:
        """Linux, busybox, the BSDs, macOS, Solaris, AIX; greetings before, other languages behind."""
        for body, seconds in PRINTED.items():
            self.assertEqual(read_uptime(body), seconds, body)

    def test_anything_else_is_refused_with_a_sentence(self) -> None:
        """Also what begins well: half an uptime would be a reboot."""
        for body in NOT:
            with self.assertRaises(UptimeError, msg=body) as wrong:
                read_uptime(body)
            self.assertRegex(str(wrong.exception), "printed|says")

    @given(st.binary(max_size=300) | st.text(alphabet="up 0123456789:,daysminhr().\n", max_size=60).map(str.encode))
    def test_garbage_is_an_uptime_or_refused(self, body: bytes) -> None:
        """Nothing else comes out."""
        try:
            self.assertGreaterEqual(read_uptime(body), 0)
        except UptimeError as wrong:
            self.assertTrue(str(wrong).isprintable())


NUMBER = st.integers(1, 4000)
WHO = st.sampled_from(["", ",  1 user", ",  0 users", ", no users", ", 23 users"])
LOAD = st.sampled_from(["", ",  load average: 0.00, 0.01, 0.05", ", load averages: 1.52 1.61", ", load average: 0,10"])
NOW = st.sampled_from([" 17:07:01 ", "10:07PM  ", "10:07  ", "  5:07pm  ", ""])
PART = st.sampled_from(["h:mm", "min", "hr", "sec", "nothing"])
STYLE = st.sampled_from(["s", "(s)", "long"])
LONG = {"min": "minute", "hr": "hour", "sec": "second", "day": "day"}


def spelt(number: int, unit: str, style: str) -> str:
    """A number of units, as one family of systems or another spells it."""
    if style == "(s)":
        return f"{number} {unit}(s)"
    unit = LONG[unit] if style == "long" else unit
    return f"{number} {unit}{'s' if number != 1 else ''}"


class RoundTripTests(unittest.TestCase):
    @given(st.integers(0, 4000), st.integers(1, 23), st.integers(0, 59), PART, STYLE, NOW, WHO, LOAD)
    def test_generated_texts_of_each_form_give_their_seconds(
        self, days: int, hours: int, minutes: int, part: str, style: str, now: str, who: str, load: str
    ) -> None:
        """Days, or none; a clock, or a span, or nothing more; users, load."""
        said = [spelt(days, "day", style)] if days else []
        seconds = days * DAY
        if part == "h:mm":
            said.append(f"{hours}:{minutes:02}")
            seconds += hours * HOUR + minutes * MINUTE
        elif part == "min":
            said.append(spelt(minutes, "min", style))
            seconds += minutes * MINUTE
        elif part == "hr":
            said.append(spelt(hours, "hr", style))
            seconds += hours * HOUR
        elif part == "sec" or not said:
            said.append(spelt(minutes, "sec", style))
            seconds += minutes
        text = f"{now}up {', '.join(said)}{who}{load}\n"
        self.assertEqual(read_uptime(text.encode()), seconds, text)

    @given(st.integers(0, 10**9), st.integers(0, 99), st.integers(0, 10**10))
    def test_proc_uptime_is_exact(self, whole: int, hundredths: int, idle: int) -> None:
        """To the hundredth of a second."""
        self.assertEqual(
            read_uptime(f"{whole}.{hundredths:02} {idle}.00\n".encode()), float(f"{whole}.{hundredths:02}")
        )

    @given(st.floats(0, 10**9))
    def test_what_is_printed_is_read_again(self, seconds: float) -> None:
        """To the minute."""
        self.assertEqual(read_uptime(f"up {printed(seconds)}".encode()), seconds // 60 * 60)

    def test_printed_as_the_old_console_did(self) -> None:
        """Scripts look for this."""
        self.assertEqual(printed(65 * DAY + 17 * HOUR + 7 * MINUTE), "65 days, 17:07")
        self.assertEqual(printed(DAY + 180), "1 day, 3 min")
        self.assertEqual(printed(59), "0 min")


class BootTests(unittest.TestCase):
    def test_the_boot_is_the_line_that_names_it(self) -> None:
        """Linux tells it beside its uptime; nobody else does."""
        body = b"350735.47 234388.90\n6f0e1d30-9d1c-4c39-8d5d-0f2d8ad2c3aa\n"
        self.assertEqual((read_uptime(body), read_boot(body)), (350735.47, "6f0e1d30-9d1c-4c39-8d5d-0f2d8ad2c3aa"))
        self.assertEqual(read_boot(b"350735.47 234388.90\nnot-a-boot\n"), "")

    def test_less_than_before_is_a_reboot_beyond_the_error_of_clocks(self) -> None:
        """A second is none."""
        self.assertTrue(went_back(5000, 20, 5))
        self.assertFalse(went_back(5000, 4998, 5))
        self.assertFalse(went_back(5000, 5060, 5))
