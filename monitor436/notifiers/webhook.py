"""A POST of JSON, with a key that tells a repetition and a signature that tells who sent it."""

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import MsgspecError, json

from monitor436.model.notify.notice import Item, Notice
from monitor436.model.notify.template import fill
from monitor436.model.notify.wording import values
from monitor436.model.settings.notify import Webhook
from monitor436.notifiers.notifier import NotSent, content, secret, spelt
from monitor436.notifiers.requests import Requests

MOST_TEMPLATE = 1 << 20  # bytes


class WebhookNotifier:
    """Header fields: `Idempotency-Key`; with a secret `X-Monitor436-Signature: t=SECONDS,v1=HEX`, the HMAC-SHA-256 of
    "SECONDS.BODY" under the secret.
    """

    refresh = 0.0

    def __init__(self, server: str, webhook: Webhook, reactor: Any, wall: Callable[[], float] = time.time) -> None:
        self._webhook = webhook
        self._requests = Requests(webhook.url, webhook.ca, webhook.time_limit, reactor)
        self._wall = wall

    async def send(self, notice: Notice) -> None:
        """POST it."""
        body = json.encode(self._filled(notice))
        headers = {
            **self._webhook.headers,
            "Content-Type": "application/json",
            "User-Agent": "monitor436",
            "Idempotency-Key": notice.key,
        }
        if self._webhook.secret_file:
            headers["X-Monitor436-Signature"] = signature(secret(self._webhook.secret_file), body, int(self._wall()))
        await self._requests.send("POST", body, headers)

    async def restate(self, items: Sequence[Item]) -> None:
        """It is told once."""

    def _filled(self, notice: Notice) -> object:
        named = values(notice, spelt(notice.at))
        if not self._webhook.template:
            return named
        try:
            return fill(json.decode(content(self._webhook.template, MOST_TEMPLATE)), named)
        except MsgspecError:
            raise NotSent(f"{self._webhook.template}: is not JSON") from None


def signature(key: bytes, body: bytes, at: int) -> str:
    """What proves that a body was sent by whoever has the key, at that time (epoch seconds)."""
    return f"t={at},v1={hmac.new(key, b'%d.' % at + body, hashlib.sha256).hexdigest()}"
