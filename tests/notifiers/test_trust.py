"""Whom notifiers trust, and the sentences where they do not."""

import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from OpenSSL import SSL
from twisted.internet.ssl import VerificationError

from monitor436.notifiers.notifier import NotSent
from monitor436.notifiers.trust import trust, why


class TrustTests(unittest.TestCase):
    def test_a_file_without_certificates_trusts_nobody_and_says_so(self) -> None:
        """Missing, empty, or something else."""
        folder = Path(self.enterContext(TemporaryDirectory()))
        begins = "-----BEGIN CERTIFICATE-----\n"
        for text in ("", "no certificate\n", begins, f"{begins}abc\n-----END CERTIFICATE-----\n"):
            (folder / "ca.pem").write_text(text)
            with self.assertRaisesRegex(NotSent, "ca.pem: expected PEM certificates"):
                trust(str(folder / "ca.pem"))
        with self.assertRaisesRegex(NotSent, "none.pem: No such file"):
            trust(str(folder / "none.pem"))

    def test_what_is_in_the_way_is_a_sentence(self) -> None:
        """With the host, and whom we trust."""
        untrusted = SSL.Error([("SSL routines", "", "certificate verify failed")])
        begin = "the certificate that mx shows is not trusted: nobody"
        self.assertEqual(why(untrusted, "mx", "/ca"), f"{begin} in /ca has signed it, or its time is over")
        self.assertEqual(
            why(untrusted, "mx", ""), f"{begin} whom this machine trusts has signed it, or its time is over"
        )
        other = SSL.Error([("SSL routines", "", "wrong version number")])
        self.assertEqual(why(other, "mx", ""), "no TLS with mx: wrong version number")
        self.assertEqual(why(SSL.Error(), "mx", ""), "no TLS with mx: it failed")
        named = why(VerificationError(errors=[]), "mx", "")
        self.assertEqual(named, "the certificate that mx shows is for another name")
        self.assertEqual((why(OSError("away"), "mx", ""), why(OSError(), "mx", "")), ("away", "OSError"))
