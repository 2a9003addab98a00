"""Mail over SMTP: encrypted and verified unless the settings say otherwise, and no text can make a header."""

import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from io import BytesIO
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import connectionDone
from twisted.internet.ssl import optionsForClientTLS
from twisted.logger import Logger
from twisted.mail.smtp import ESMTPSender, ESMTPSenderFactory, SMTPClientError
from twisted.python.failure import Failure

from monitor436.model.notify.notice import Item, Notice
from monitor436.model.notify.wording import headline, lines, worst
from monitor436.model.settings.notify import Mail
from monitor436.notifiers.notifier import NotSent, secret, spelt
from monitor436.notifiers.trust import trust, why

OK = range(200, 300)


_log = Logger()


class MailNotifier:
    """One mail a notification; its Message-ID is the key, so that a repetition is known as one."""

    refresh = 0.0

    def __init__(self, server: str, mail: Mail, reactor: Any, wall: Callable[[], float] = time.time) -> None:
        self._mail = mail
        self._reactor = reactor
        self._wall = wall

    async def send(self, notice: Notice) -> None:
        """Hand it to the mail server."""
        sent: Deferred[Any] = Deferred()
        mail = self._mail
        password = secret(mail.password_file) if mail.user else None
        options = None if mail.tls == "off" else optionsForClientTLS(mail.host, trustRoot=trust(mail.ca))
        factory: Any = ESMTPSenderFactory(
            mail.user.encode() if mail.user else None, password, mail.sender, list(mail.to),
            BytesIO(message(notice, mail)), sent, retries=0, timeout=mail.time_limit, contextFactory=options,
            heloFallback=True, requireAuthentication=bool(mail.user), requireTransportSecurity=mail.tls == "starttls",
        )  # fmt: skip
        factory.noisy = False
        factory.protocol = _Sender
        factory.why = lambda problem: why(problem, mail.host, mail.ca)
        endpoint: Any = HostnameEndpoint(self._reactor, mail.host.encode("idna"), mail.port)
        if mail.tls == "always" and options is not None:
            endpoint = wrapClientTLS(options, endpoint)
        running = Deferred.fromCoroutine(_exchange(endpoint, factory, sent))
        call = self._reactor.callLater(mail.time_limit, running.cancel)
        try:
            await running
        except CancelledError:
            raise NotSent(f"took longer than {mail.time_limit:g} s").at(f"{mail.host}:{mail.port}") from None
        except NotSent as problem:
            raise problem.at(f"{mail.host}:{mail.port}") from None
        finally:
            if call.active():
                call.cancel()

    async def restate(self, items: Sequence[Item]) -> None:
        """It is told once."""


class _Sender(ESMTPSender):
    """Says so if the connection ends in the middle."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """However it ended."""
        super().connectionLost(reason)
        result = getattr(self.factory, "result", None)  # it is gone once it has fired
        if result is not None and not result.called:
            result.errback(NotSent(f"the connection to the mail server was lost: {self.factory.why(reason.value)}"))


async def _exchange(endpoint: Any, factory: Any, sent: "Deferred[Any]") -> None:
    protocol = None
    try:
        protocol = await endpoint.connect(factory)
        _, addresses = await sent
        for address, code, _ in addresses:
            if code not in OK:
                _log.warn("mail: {address} was refused ({code}), others got it", address=address, code=code)
    except (CancelledError, NotSent):
        raise
    except SMTPClientError as problem:
        said = problem.resp.decode("utf-8", "replace") if isinstance(problem.resp, bytes) else str(problem.resp)
        code = problem.code if isinstance(problem.code, int) and problem.code > 0 else 0
        raise NotSent(f"{code} {said}".strip("0 "), for_good=500 <= code < 600) from None
    except Exception as problem:  # of names, connections and TLS
        raise NotSent(str(problem) or type(problem).__name__) from None
    finally:
        if protocol is not None:
            inner = getattr(protocol, "wrappedProtocol", protocol)
            inner.transport.abortConnection() if not sent.called else inner.transport.loseConnection()


def message(notice: Notice, mail: Mail) -> bytes:
    """The mail as it travels."""
    found = EmailMessage(policy=SMTP.clone(max_line_length=78))
    found["From"] = mail.sender
    found["To"] = ", ".join(mail.to)
    found["Subject"] = f"[{notice.server}] {headline(notice)}"
    found["Date"] = formatdate(notice.at)
    found["Message-ID"] = f"<{notice.key}@{mail.sender.rpartition('@')[2]}>"
    found["Auto-Submitted"] = "auto-generated"
    found["X-Monitor436-Severity"] = worst(notice.items)
    found.set_content("\n".join(lines(notice, spelt(notice.at))) + "\n", cte="quoted-printable")
    return found.as_bytes()
