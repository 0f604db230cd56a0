"""Who calls: the access key of the System API, or an API key; checked anew for each request, never remembered."""

import re
from typing import Annotated, Final

from fastapi import Depends, Request
from msgspec import Struct

from yescale.control.answers import FaultRaised, Refusal
from yescale.control.context import Context
from yescale.control.secrets import ACCESS_KEY_LENGTH, KEY_PREFIX, hash_access_key, hash_api_key
from yescale.domain.faults import ACCOUNT_DISABLED, INVALID_KEY, KEY_DISABLED, KEY_EXPIRED, MISSING_KEY

_ENABLED: Final = 1
_EXHAUSTED: Final = 4
_BEARER: Final = re.compile(r"bearer(\s+|$)", re.IGNORECASE)
_API_KEY: Final = re.compile(r"[0-9A-Za-z]{1,128}")


def context_of(request: Request) -> Context:
    """What the application was built with."""
    context: Context = request.app.state.context
    return context


Desk = Annotated[Context, Depends(context_of)]


def read_authorization(request: Request) -> str:
    """The credential of the Authorization header, with or without the word Bearer; "" where there is none."""
    return _BEARER.sub("", request.headers.get("authorization", "").strip(), count=1).strip()
