"""Which headers of a client's go on, as what, and what is told of those that do not."""

import pytest

from yescale.gateway.relay.headers import Going, pass_on
from yescale.providers.betas import BEDROCK, VERTEX
from yescale.providers.provider import Passed

NAME = b"anthropic-beta"
HEADER = (Passed(NAME, known=VERTEX),)
MEMBER = (Passed(NAME, known=BEDROCK, member="anthropic_beta"),)
LOST = ("header.anthropic-beta",)


class Said:
    """A request that has one header."""

    def __init__(self, value: bytes | None) -> None:
        self._value = value

    def header(self, name: bytes) -> bytes | None:
        return self._value if name == NAME else None


@pytest.mark.parametrize(
    ("passes", "value", "going"),
    [
        (HEADER, None, Going()),
        (HEADER, b" , ", Going()),
        (HEADER, b"context-1m-2025-08-07", Going(b"anthropic-beta: context-1m-2025-08-07\r\n")),
        (HEADER, b"files-api-2025-04-14", Going(losses=LOST)),
        (HEADER, b"context-1m-2025-08-07-x", Going(losses=LOST)),
        (
            HEADER,
            b"web-search-2025-03-05 , nothing-2020-01-01",
            Going(b"anthropic-beta: web-search-2025-03-05\r\n", losses=LOST),
        ),
        (HEADER, b"advanced-tool-use-2025-11-20", Going(b"anthropic-beta: tool-search-tool-2025-10-19\r\n")),
        (
            MEMBER,
            b"context-1m-2025-08-07,effort-2025-11-24,context-1m-2025-08-07",
            Going(members=b'"anthropic_beta":["context-1m-2025-08-07","effort-2025-11-24"],'),
        ),
        (MEMBER, b'x"],"model":["y', Going(losses=LOST)),
        ((Passed(NAME),), b"anything-at-all,more", Going(b"anthropic-beta: anything-at-all,more\r\n")),
        ((), b"context-1m-2025-08-07", Going(losses=LOST)),
        ((), None, Going()),
    ],
)
def test_what_the_provider_knows_goes_on_and_the_rest_is_told(
    passes: tuple[Passed, ...], value: bytes | None, going: Going
) -> None:
    """Promise 29."""
    assert pass_on(Said(value), passes, (NAME,)) == going


def test_nobody_misses_what_is_not_wanted() -> None:
    assert pass_on(Said(b"context-1m-2025-08-07"), (), ()) == Going()
    assert pass_on(None, HEADER, (NAME,)) == Going()
