"""What an agent starts from: what is packed in its file, who it is, what its host allows."""

from monitor436.agent import limits, wire
from monitor436.agent.identity import Identity, Packed, State, StateError, read_packed

FIRST = {limits.COMMANDS_FILE: limits.FIRST_COMMANDS, limits.LOGS_FILE: limits.FIRST_LOGS}  # of a new state folder


def known(packed: Packed, state: State, name: str) -> "Identity | None":
    """This host's identity, if it has one: packed in the file, or kept from an earlier join. Raises StateError."""
    kept = state.identity()
    if packed.key:
        origin = wire.SHA256(packed.key).hexdigest()
        if kept is not None and kept.origin == origin:
            return kept  # moved to another key of the site since the file was packed
        return Identity(packed.name, packed.key, packed.serial, packed.generation, origin=origin)
    if kept is not None and name not in ("", kept.name):
        raise StateError("{} belongs to {}: another --state DIR for {}".format(state.folder, kept.name, name))
    return kept


def allowed_here(commands: str, logs: str, run_as: str, state: State) -> limits.Limits:
    """What a plan may do here, as options and the lists in the state folder say. Raises StateError, ValueError."""
    user = limits.run_as(run_as) if run_as else None
    listed = []
    for file, first in FIRST.items():
        text = state.read(file)
        listed.append((first.encode() if text is None else text).decode("utf-8", "replace"))
    return limits.Limits(commands, listed[0], logs, listed[1], user)


def packed_in_this_file() -> Packed:
    """What was packed beside this code. Raises StateError."""
    loader = globals().get("__loader__")
    if not hasattr(loader, "archive"):
        raise StateError("this is the agent's source: run a file made by `monitor436 agent pack`")
    return read_packed(loader.get_data("packed.json"))  # type: ignore[union-attr]
