"""Pages of the rehearsal, which write no line for each request."""

from twisted.web.server import Site


class Quiet(Site):
    """A site that says nothing of itself."""

    noisy = False

    def log(self, request: object) -> None:
        pass
