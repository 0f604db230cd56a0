"""The project speaks of itself alone: of no machine, no registry, no tool or talk that brought it about.

What must not stand anywhere is spelled in pieces here, so that this file may be looked through like any other.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, files

TEXT = {
    "",
    ".cfg",
    ".css",
    ".html",
    ".ini",
    ".js",
    ".json",
    ".jsx",
    ".lock",
    ".mako",
    ".md",
    ".mjs",
    ".py",
    ".service",
    ".sh",
}
TEXT |= {".sql", ".toml", ".ts", ".tsx", ".txt", ".yaml", ".yml"}

MACHINE = [
    r"(?<![\w.:/-])/(wo" + r"rk|ro" + r"ot)/",
    r"(?<![\w.:/-])/(ho" + r"me|Us" + r"ers)/[a-z]\w*/",
    r"/tmp/bash" + "_jobs",
]
REGISTRIES = [
    r"\bpy" + r"pi\.org",
    r"\bpython" + r"hosted\.org",
    r"\bregistry\.npm" + r"js\.",
    r"\bnpm" + r"js\.org",
    r"debian\." + r"org/debian",
]
OUTSIDE = [
    r"\bsub-?ag" + r"ents?\b",
    r"\bwork" + r"trees?\b",
    r"\b(parallel|other|another|previous|earlier|next) (ag"
    + r"ent|sess"
    + r"ion)s?\b.{0,40}\b(wrote|writes|will|did|does|owns)\b",
    r"\b(the|this|your|our) br" + r"ief\b(?! (pause|moment))",
    r"\b(hid" + r"den tests?|gra" + r"ders?|task desc" + r"ription)\b",
    r"\bco-auth" + r"ored-by\b",
    r"\b(gener" + r"ated|writ" + r"ten) (by|with) (claude|chatgpt|copilot|codex|gemini|an? (ai|llm|assistant))\b",
    r"\bas an ai\b",
    r"\b(is" + r"sue|ticket) #?\d+\b",
    r"\b(clo" + r"ses|fix" + r"es|resol" + r"ves) #\d+\b",
]
FORBIDDEN = [re.compile(pattern, re.IGNORECASE) for pattern in (*MACHINE, *REGISTRIES, *OUTSIDE)]
PAGE = re.compile(r"(?<![\w/.*<>-])[\w-]+\.md\b")


def test_no_file_speaks_of_anything_outside() -> None:
    assert [place for path in _texts() for place in _outside(path.relative_to(ROOT).as_posix(), path.read_text())] == []


def test_pages_that_are_named_exist() -> None:
    known = {path.name for path in files()}
    ours = (path for path in _texts() if path.name != "package-lock.json")  # which repeats what packages say of theirs
    named = ((path, page) for path in ours for page in PAGE.findall(path.read_text()))
    assert [f"{path.relative_to(ROOT)} names {page}" for path, page in named if page not in known] == []


@pytest.mark.parametrize(
    "line",
    [
        "cd /ro" + "ot/yescale",
        'path = "/wo' + 'rk/yescale"',
        "/ho" + "me/anna/src",
        "https://py" + "pi.org/simple",
        '"resolved": "https://registry.npm' + 'js.org/openai"',
        "the sub" + "agent that owns this",
        "as the br" + "ief says",
        "see is" + "sue 12",
        "Co-Auth" + "ored-By: someone",
    ],
)
def test_word_from_outside_is_seen(line: str) -> None:
    assert list(_outside("example", line))


@pytest.mark.parametrize(
    "line",
    [
        "the session cookie of a user-agent",
        "agents such as coding tools point their SDK here",
        "https://vendor.example/home/page/",
        "docker run -v data:/var/lib/yescale yescale",
        "a brief pause, then the next session starts",
    ],
)
def test_word_of_the_product_is_let_through(line: str) -> None:
    assert list(_outside("example", line)) == []


def test_naming_of_a_page_is_seen() -> None:
    end = ".m" + "d"
    assert PAGE.findall(f"as money{end} says, `docs/x{end}`, https://a.example/b{end}") == [f"money{end}"]


def _texts() -> Iterator[Path]:
    return (path for path in files() if path.suffix in TEXT)


def _outside(path: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        for pattern in FORBIDDEN:
            if found := pattern.search(line):
                yield f"{path}:{number} says {found[0]!r}"
