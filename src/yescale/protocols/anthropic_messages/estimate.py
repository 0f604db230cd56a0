"""An estimate of what count_tokens would say, for models whose provider cannot count."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from yescale.protocols.estimate import weigh

_TURN: Final = 4
_TOOLS: Final = 346  # https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview (pricing)
_BYTES_PER_TOKEN: Final = 4
_BROKEN: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)


class _Counted(Struct, frozen=True):
    messages: list[Any]
    system: Any = None
    tools: list[Any] | None = None


_COUNTED: Final = msgspec.json.Decoder(_Counted)


def estimate_tokens(body: bytes) -> int:
    """About how many tokens the prompt of a request has, never 0.

    A body that is no request counts by its bytes.
    """
    try:
        wire = _COUNTED.decode(body)
    except _BROKEN:
        return len(body) // _BYTES_PER_TOKEN + 1
    fixed = _TURN * len(wire.messages) + (_TOOLS if wire.tools else 0)
    return max(1, round(sum(weigh([wire.messages, wire.system, wire.tools])) + fixed))


def answer_estimate(body: bytes) -> bytes:
    """The answer of count_tokens with an estimate."""
    return b'{"input_tokens":%d}' % estimate_tokens(body)
