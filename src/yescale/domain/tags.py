"""Tags: what a caller says of a call's circumstances, so that its log row can be found by it. Pure."""

from typing import Annotated, Final

from msgspec import Meta

TOLD: Final = ("end_user_id", "tenant_id", "feature", "plan", "session_id")  # in X-YEScale-Metadata
USER: Final = "user"  # in the body: OpenAI's `user`, Anthropic's `metadata.user_id`
SAFETY: Final = "safety_identifier"  # in the body: OpenAI's
NAMES: Final = (*TOLD, USER, SAFETY)
MOST_CHARACTERS: Final = 256  # of a value
_MOST: Final = len(NAMES)
MOST_WRITTEN: Final = MOST_CHARACTERS + 1 + max(map(len, NAMES))  # characters of `name:value`

Tags = tuple[tuple[str, str], ...]  # name and value, no name twice
NO_TAGS: Final[Tags] = ()

# What a reader of the journal believes.
Word = Annotated[str, Meta(max_length=MOST_CHARACTERS)]
Written = Annotated[tuple[tuple[Word, Word], ...], Meta(max_length=_MOST)]


def storable(value: str) -> str:
    """A value of a body as it is kept: no longer than a tag may be, without control characters."""
    kept = value[:MOST_CHARACTERS]
    return kept if kept.isprintable() else "".join(c for c in kept if c.isprintable())


def parse_tag(written: str) -> tuple[str, str] | None:
    """Name and value of `name:value`, or None where there is no such tag."""
    name, colon, value = written.partition(":")
    return (name, value) if colon and value and name in NAMES else None
