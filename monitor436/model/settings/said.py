"""What sections of the settings are made of: the sentence and the bounds of each setting, and common types."""

from typing import Annotated

from msgspec import Meta

DAY = 86400.0  # seconds
Port = Annotated[int, Meta(ge=0, le=65535)]


def why(sentence: str, ge: float | None = None, le: float | None = None) -> Meta:
    """What stands above a setting in the file that explains them all, and the bounds of a number."""
    return Meta(description=sentence, ge=ge, le=le)
