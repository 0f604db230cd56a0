"""The memory seam: responses that a worker has control keep, over a Unix-socket connection apart from the link.

Frames are the link's. Each question has an id that its answer repeats; asked twice, it does no harm. Unknown fields are
ignored; fields are only added.
"""

import re
from typing import Final

from msgspec import Struct

from yescale.domain.ids import AccountId, Incarnation

MEMORY_FORMAT: Final = 1
FRAME_ROOM: Final = 64 * 1024  # of a frame, besides what is kept
RESPONSE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")  # whole; an answer with an id of another kind is not kept


class Kept(Struct, frozen=True, kw_only=True):
    """A response and what came before it, as JSON. What is kept belongs to an account and is read by no other."""

    input: bytes  # an array of items: the conversation up to the answer
    answer: bytes  # the response object, as its client has it

    def __len__(self) -> int:
        return len(self.input) + len(self.answer)


# --- worker to control


class OpenMemory(Struct, frozen=True, kw_only=True, tag="memory"):
    """The first message of a connection to the internal socket that is to be one of this seam. Answered by Opened."""

    incarnation: Incarnation
    slot: int
    format: int = MEMORY_FORMAT


class Find(Struct, frozen=True, kw_only=True, tag="find"):
    """What is kept of this account's response?"""

    id: int
    account: AccountId
    response: str


class Keep(Struct, frozen=True, kw_only=True, tag="keep"):
    """Keep this response."""

    id: int
    account: AccountId
    response: str
    kept: Kept


# --- control to worker


class Opened(Struct, frozen=True, kw_only=True, tag="opened"):
    """Questions may come."""

    format: int = MEMORY_FORMAT


class Found(Struct, frozen=True, kw_only=True, tag="found"):
    """The answer to Find; None = the account has no such response. `unavailable`: the database is away, ask again."""

    id: int
    kept: Kept | None = None
    unavailable: bool = False


class Noted(Struct, frozen=True, kw_only=True, tag="noted"):
    """The answer to Keep: it is stored, or why it is not."""

    id: int
    refusal: str = ""


ToMemory = Find | Keep
FromMemory = Opened | Found | Noted
