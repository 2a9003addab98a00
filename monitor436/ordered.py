"""Services that stop one after another."""

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.logger import Logger


class StartError(Exception):
    """A service cannot start here; the text says what is in the way, for the operator."""


class OrderedServices(MultiService):
    """Starts its children in order; stops them in the opposite order, each when the one before has stopped.

    twisted's MultiService stops all at once, so that a log would close before those who write to it.
    """

    log = Logger()

    def stopService(self) -> Deferred[None]:
        self.running = 0
        return ensureDeferred(self._stop_each())

    async def _stop_each(self) -> None:
        for child in reversed(list(self)):
            try:
                await maybeDeferred(child.stopService)
            except Exception:
                self.log.failure("{child} did not stop cleanly", child=child)
