"""What is sent: mails, lines of syslog, signatures, templates; whatever texts are in it."""

import unittest
from email import message_from_bytes
from email.policy import default

from hypothesis import given
from hypothesis import settings as pace
from hypothesis import strategies as st
from msgspec import structs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from monitor436.model.notify.notice import Item, Notice
from monitor436.model.notify.template import fill, unknown
from monitor436.model.notify.wording import headline, lines, values
from monitor436.model.settings.notify import Mail, Syslog, Webhook
from monitor436.notifiers.mail import message
from monitor436.notifiers.notifier import Notifier, NotSent
from monitor436.notifiers.syslog import SyslogNotifier, line
from monitor436.notifiers.webhook import WebhookNotifier, signature

AT = 1_800_000_000.0
MAIL = Mail(to=("a@example.net", "b@example.net"), sender="m@example.net")
ALARM = Item("alarm", "critical", "web1 is down: silent for 18s", AT, "web1", since=AT)
HOSTILE = "x\r\nBcc: eve@example.net\r\n\r\n<b>\x1b[2J\u202e\u2028\x00\x85{key}\udcff"


def notice(*items: Item) -> Notice:
    """A notification."""
    return Notice("0123abcd", "ops", AT, "srv", items or (ALARM,))


class WordingTests(unittest.TestCase):
    def test_one_item_is_told_in_the_headline(self) -> None:
        """With the name of what it is about, once."""
        self.assertEqual(headline(notice()), "critical: web1 is down: silent for 18s")
        disk = Item("recovery", "info", "is 10: ok", AT, "a", "disk", "/")
        self.assertEqual(headline(notice(disk)), "well again: a/disk//: is 10: ok")

    def test_several_are_counted(self) -> None:
        """By what they are."""
        back = structs.replace(ALARM, what="recovery", severity="info")
        many = [structs.replace(ALARM, host=f"h{number}") for number in range(5)]
        self.assertEqual(headline(notice(*many, back)), "5 alarms, 1 recovery: h0, h1, h2 and 3 more")

    def test_the_worst_stands_first_and_hosts_behind_with_it(self) -> None:
        """Recoveries last."""
        items = (
            Item("recovery", "info", "up", AT + 60, "b", since=AT),
            structs.replace(ALARM, severity="warning", host="c"),
            structs.replace(ALARM, behind=tuple(f"h{number}" for number in range(30))),
            Item("happened", "warning", "error", AT + 30, "d", "log", since=AT, times=7),
        )
        told = lines(notice(*items), "today")
        self.assertIn("critical  web1", told[0])
        self.assertIn("30 hosts behind it: h0, h1", told[1])
        self.assertIn("(after 1m)", told[4])
        self.assertIn("(7 times in 30s)", "".join(told))
        self.assertEqual(told[-1], "today, monitor436 on srv, 0123abcd")


class MailTests(unittest.TestCase):
    def test_a_mail_has_its_headers_and_a_plain_body(self) -> None:
        """The key is its Message-ID."""
        raw = message(notice(), MAIL)
        mail = message_from_bytes(raw, policy=default)
        self.assertEqual(mail["Message-ID"], "<0123abcd@example.net>")
        self.assertEqual(mail["Subject"], "[srv] critical: web1 is down: silent for 18s")
        self.assertEqual((mail["To"], mail["Auto-Submitted"]), ("a@example.net, b@example.net", "auto-generated"))
        self.assertEqual(mail.get_content_type(), "text/plain")  # type: ignore[attr-defined]
        self.assertNotIn(b"\r\n.\r\n", raw)

    @given(st.text(max_size=300), st.text(max_size=80))
    @pace(max_examples=15)
    def test_no_text_makes_a_header_or_a_line(self, text: str, host: str) -> None:
        """Whatever characters are in it."""
        for said in (text, HOSTILE + text, text + HOSTILE):
            told = notice(structs.replace(ALARM, text=said, host=host + HOSTILE))
            raw = message(told, MAIL)
            mail = message_from_bytes(raw, policy=default)
            wanted = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Monitor436-Severity"]
            self.assertEqual([name for name in mail if name in wanted or name == "Bcc"], wanted)
            self.assertTrue(all(each.isprintable() for each in mail.get_content().splitlines()))  # type: ignore[attr-defined]
            self.assertTrue(raw.isascii())


class SyslogTests(unittest.TestCase):
    def test_a_line_is_that_of_the_rfc(self) -> None:
        """Facility 16 and severity 2 are 130."""
        told = line(notice(), ALARM, 16).decode()
        head = r'\A<130>1 2027-01-15T08:00:00\.000Z srv monitor436 \d+ alarm \[m436@32473 key="0123abcd" host="web1" '
        self.assertRegex(told, head)

    @given(st.text(max_size=3000), st.text(max_size=300))
    def test_no_text_ends_it_or_its_data(self, text: str, check: str) -> None:
        """It is at most 2,000 bytes of UTF-8."""
        item = structs.replace(ALARM, text=HOSTILE + text, check=check + '"]\\')
        told = line(structs.replace(notice(item), server="a b\n"), item, 16)
        self.assertLessEqual(len(told), 2000)
        self.assertTrue(told.decode().isprintable())
        data = told.decode().partition("[m436@32473 ")[2]
        unescaped = data.replace("\\\\", "").replace('\\"', "").replace("\\]", "")
        self.assertRegex(unescaped, r'\A(\w+="[^"\]]*" ?)+\] ')


class PlaceTests(unittest.TestCase):
    async def failed(self, notifier: Notifier) -> str:
        """Why it was not handed over."""
        try:
            await notifier.send(notice())
        except NotSent as problem:
            return str(problem)
        raise AssertionError("it was handed over")

    def test_what_failed_says_where(self) -> None:
        """A socket has a path; an address is told without what may be secret in it."""
        away = Syslog(path="/no/such/socket")
        syslog = Deferred.fromCoroutine(self.failed(SyslogNotifier("srv", away, Clock())))
        self.assertEqual(syslog.result, "/no/such/socket: No such file or directory")
        hook = Webhook(url="https://user:word@hooks.example:8443/T0/secret", ca="/no/such.pem")
        webhook = Deferred.fromCoroutine(self.failed(WebhookNotifier("srv", hook, Clock())))
        self.assertEqual(webhook.result, "hooks.example:8443: /no/such.pem: No such file or directory")


class WebhookTests(unittest.TestCase):
    def test_a_signature_binds_the_time_and_the_body(self) -> None:
        """That of an implementation elsewhere: openssl dgst -sha256 -hmac key."""
        told = signature(b"key", b'{"a":1}', 1800000000)
        proof = "7330c9cf7d886970cbebbbb5494c04d2aeff06a990adb7d7a75abfeb0159d291"
        self.assertEqual(told, f"t=1800000000,v1={proof}")
        self.assertNotEqual(told[-64:], signature(b"key", b'{"a":2}', 1800000000)[-64:])
        self.assertNotEqual(told[-64:], signature(b"key", b'{"a":1}', 1800000001)[-64:])

    def test_a_template_is_filled_with_values_as_values(self) -> None:
        """What they hold is never read as a template or as JSON."""
        named = values(notice(structs.replace(ALARM, text='" } {key}')), "today")
        tree = {"text": "{subject}!", "n": "{alarms}", "list": ["{hosts}", 1, None], "odd": "{nothing} {Key}"}
        filled = fill(tree, named)
        self.assertEqual(
            filled,
            {"text": 'critical: web1: " } {key}!', "n": 1, "list": [["web1"], 1, None], "odd": "{nothing} {Key}"},
        )
        self.assertEqual(unknown(tree, set(named)), ["nothing"])
