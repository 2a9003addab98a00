"""The kinds of notifier, by the names that settings have for them."""

from collections.abc import Callable
from typing import Any

from monitor436.model.settings.notify import Notify
from monitor436.notifiers.alertmanager import AlertmanagerNotifier
from monitor436.notifiers.command import CommandNotifier
from monitor436.notifiers.mail import MailNotifier
from monitor436.notifiers.notifier import Notifier
from monitor436.notifiers.syslog import SyslogNotifier
from monitor436.notifiers.webhook import WebhookNotifier

NOTIFIERS: dict[str, Callable[[str, Any, Any], Notifier]] = {
    "mail": MailNotifier,
    "webhook": WebhookNotifier,
    "command": CommandNotifier,
    "alertmanager": AlertmanagerNotifier,
    "syslog": SyslogNotifier,
}


def notifiers(notify: Notify, server: str, reactor: Any) -> dict[str, Notifier]:
    """Every notifier of the settings, by its name."""
    return {name: NOTIFIERS[kind](server, settings, reactor) for name, (kind, settings) in notify.named().items()}
