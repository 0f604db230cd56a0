"""How a stream is listened to as it passes."""

from typing import Protocol

from msgspec import Struct

from yescale.domain.usage import Usage


class UpstreamError(Struct, frozen=True, kw_only=True, gc=False):
    """An error as the upstream said it; empty where it did not."""

    message: str = ""
    code: str = ""
    type: str = ""
    param: str | None = None
    retry_after_s: int | None = None  # where the body says when to come back


class Tap(Protocol):
    """Listens to a stream as it passes. `feed` gives what may go to the client: whole events only."""

    usage: Usage | None  # last one wins
    partial: bool  # what it says of the output is not the last word
    done: bool  # the format's end mark has passed
    finished: bool  # a choice said why it stopped
    error: UpstreamError | None  # the upstream sent an error as an event; it and what follows are withheld
    text_bytes: int  # of output, about
    tier: str  # which one the upstream says serves the call; "" = the usual one, or it says none

    def feed(self, data: bytes) -> bytes:
        """What may be forwarded now. Raises sse.TooLong."""
        ...

    def finish(self) -> bytes:
        """The stream is over: what was held back."""
        ...
