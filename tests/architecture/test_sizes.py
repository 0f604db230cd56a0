"""The bars for size and shape, and proof that each rule sees what it forbids."""

import statistics

import pytest

from tests.architecture import rules
from tests.architecture.source import Source, sources

SOURCES = sources("src")
MEDIAN_FILE = 150
MEDIAN_FUNCTION = 10
LONG_FUNCTION = 30
LINES_PER_SILENCING = 1000

# Where everything may be caught: at the top of a loop or of a request. Path and function, and why.
CATCH_ALL: dict[tuple[str, str], str] = {
    ("src/yescale/control/changes.py", "Feed.run"): "top of a loop",
    ("src/yescale/control/conversations.py", "sweep"): "top of a loop",
    ("src/yescale/control/api/once.py", "sweep"): "top of a loop",
    ("src/yescale/control/guard.py", "Guard.run"): "top of a loop",
    ("src/yescale/control/internal.py", "LinkServer._answer"): "top of a request of the link",
    ("src/yescale/control/internal.py", "LinkServer._operate"): "top of an operation",
    ("src/yescale/control/memory.py", "MemoryServer._answer"): "top of a request of the memory",
    ("src/yescale/control/settlement.py", "Settlement.run"): "top of a loop",
    ("src/yescale/control/statistics.py", "Statistics.run"): "top of a loop",
    ("src/yescale/control/settlement.py", "Settlement._settle_or_rest"): "one journal must not stop the others",
    ("src/yescale/gateway/callbacks.py", "run"): "one subscriber must not stop the others",
    ("src/yescale/gateway/relay/call.py", "Call._start"): "top of a request",
    (
        "src/yescale/gateway/relay/passage.py",
        "Passage.received",
    ): "top of an upstream's bytes: the call is settled all the same",
    ("src/yescale/gateway/relay/passage.py", "Passage.failed"): "top of an upstream's failure: likewise",
    ("src/yescale/gateway/relay/passage.py", "Passage._guard"): "top of a timer or of a client's news: likewise",
    ("src/yescale/gateway/relay/realtime/opening.py", "Opening._guard"): "top of every callback: likewise",
    ("src/yescale/gateway/relay/realtime/session.py", "Session._guard"): "top of every callback: likewise",
    ("src/yescale/wire/attempt.py", "Attempt.fail"): "top of a sink's callback",
    ("src/yescale/wire/attempt.py", "Attempt.deliver"): "top of a sink's callback",
    ("src/yescale/wire/connection.py", "Connection._open"): "top of a request",
    ("src/yescale/wire/connection.py", "Connection._knock"): "top of a request",
    ("src/yescale/wire/connection.py", "Connection._receive"): "top of a request",
    ("src/yescale/wire/connection.py", "Connection._write_rejection"): "top of a request",
    ("src/yescale/wire/connection.py", "Connection._tell"): "top of a listener's callback",
    ("src/yescale/wire/dial.py", "Dial.open"): "top of a dialer's callback",
    ("src/yescale/wire/pool.py", "Opening._run"): "top of a task",
    ("src/yescale/wire/timers.py", "Timers._run"): "top of a timer's call",
    ("src/yescale/wire/tunnel.py", "Tunnel._tell"): "top of a listener's callback",
    ("src/yescale_sandbox/connection.py", "Connection._begin"): "top of a request",
    ("src/yescale_sandbox/connection.py", "Connection._advance"): "top of a request",
    ("src/yescale_sandbox/connection.py", "Connection._converse"): "top of a message",
}

RULES = [
    rules.file_is_short,
    rules.functions_are_short,
    rules.protocols_are_small,
    rules.module_says_what_lives_there,
    rules.names_say_something,
    rules.imports_stand_on_top,
    rules.nothing_is_global,
    rules.modules_keep_no_state,
    rules.silencings_have_code_and_reason,
]
LONG = "\n".join(f"    x = {n}" for n in range(60))
METHODS = "\n".join(f"    def m{n}(self) -> None: ..." for n in range(9))
OFFENCES = [
    (rules.file_is_short, "def f() -> None: ...\n" + "\n" * 500),
    (rules.functions_are_short, f"def f() -> None:\n{LONG}"),
    (rules.functions_are_short, f"async def f() -> None:\n{LONG}"),
    (rules.protocols_are_small, f"class Codec(Protocol):\n{METHODS}"),
    (rules.protocols_are_small, f"class Codec(typing.Protocol[T]):\n{METHODS}"),
    (rules.module_says_what_lives_there, "x = 1"),
    (rules.module_says_what_lives_there, '"""a\nb\nc\nd\ne\nf"""'),
    (rules.names_say_something, "class ChannelManager: ..."),
    (rules.imports_stand_on_top, "def f() -> None:\n    import os"),
    (rules.imports_stand_on_top, "class A:\n    async def f(self) -> None:\n        from os import path"),
    (rules.imports_stand_on_top, "def f() -> None:\n    importlib.import_module('os')"),
    (rules.nothing_is_global, "def f() -> None:\n    global x\n    x = 1"),
    (rules.modules_keep_no_state, "cache = {}"),
    (rules.modules_keep_no_state, "seen: set[str] = set()"),
    (rules.modules_keep_no_state, "_waiting = collections.deque()"),
    (rules.modules_keep_no_state, "CACHE = {}\ndef f() -> None:\n    CACHE['a'] = 1"),
    (rules.modules_keep_no_state, "SEEN = []\ndef f() -> None:\n    SEEN.append(1)"),
    (rules.silencings_have_code_and_reason, "x = 1  # noqa"),
    (rules.silencings_have_code_and_reason, "x = 1  # noqa: E501"),
    (rules.silencings_have_code_and_reason, "x = 1  # type: ignore[misc]"),
]
INNOCENT = '''"""What lives here."""
import os
NAMES = ["a"]
__all__ = ["f"]
EMPTY: dict[str, int] = {}
def f(seen: list[int]) -> int:
    found = []
    found.append(NAMES[0])
    seen.append(1)
    x = os.name  # noqa: E501  the vendor's own address is longer than a line
    return EMPTY.get(x, 0)
'''


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_code_keeps_the_rule(rule: rules.Rule) -> None:
    assert [place for source in SOURCES for place in rule(source)] == []


@pytest.mark.parametrize(("rule", "text"), OFFENCES)
def test_rule_sees_the_offence(rule: rules.Rule, text: str) -> None:
    assert list(rule(Source("src/yescale/example.py", text)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_lets_good_code_pass(rule: rules.Rule) -> None:
    assert list(rule(Source("src/yescale/example.py", INNOCENT))) == []


def test_table_may_be_long() -> None:
    assert list(rules.file_is_short(Source("src/yescale/media/vendors.py", "ROWS = (\n" + "1,\n" * 600 + ")"))) == []


@pytest.mark.parametrize("name", ["utils", "channel_manager", "base"])
def test_module_with_an_empty_name_is_seen(name: str) -> None:
    assert list(rules.names_say_something(Source(f"src/yescale/{name}.py", "")))
    assert list(rules.names_say_something(Source(f"src/yescale/{name}/requests.py", "")))


def test_everything_is_caught_only_where_the_list_says() -> None:
    found = {(source.path, around) for source in SOURCES for _, around in rules.broad_excepts(source)}
    assert found - set(CATCH_ALL) == set(), "catch what you can name; the top of a loop or request goes on the list"
    assert set(CATCH_ALL) - found == set(), "these no longer catch everything: take them off the list"


@pytest.mark.parametrize(
    ("clause", "caught"),
    [
        ("except Exception:", True),
        ("except BaseException:", True),
        ("except (ValueError, Exception):", True),
        ("except:", True),
        ("except ValueError:", False),
    ],
)
def test_broad_except_is_seen(clause: str, caught: bool) -> None:
    source = Source("a.py", f"class A:\n    def f(self):\n        try: ...\n        {clause} ...")
    assert list(rules.broad_excepts(source)) == ([(4, "A.f")] if caught else [])


def test_suppressing_everything_is_seen() -> None:
    source = Source("a.py", "def f():\n    with contextlib.suppress(Exception): ...")
    assert list(rules.broad_excepts(source)) == [(2, "f")]


def test_tools_are_rarely_silenced() -> None:
    places = [f"{source.path}:{token.start[0]}" for source in SOURCES for token in rules.silencings(source)]
    assert len(places) <= 1 + sum(source.lines for source in SOURCES) // LINES_PER_SILENCING, places


def test_most_files_and_functions_are_small() -> None:
    files = [source.lines for source in SOURCES if not rules.is_table(source)] or [0]
    functions = sorted(rules.length(function) for source in SOURCES for function in source.functions) or [0]
    assert statistics.median(files) <= MEDIAN_FILE
    assert statistics.median(functions) <= MEDIAN_FUNCTION
    assert functions[len(functions) * 9 // 10] <= LONG_FUNCTION
