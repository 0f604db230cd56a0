"""Words that a user typed, as LIKE patterns: escaped, bounded, never raw."""

from typing import Any, Final

from sqlalchemy import ColumnElement

MOST_CHARACTERS: Final = 200  # of a search; what is longer finds nothing that is stored
_ESCAPE: Final = "\\"


def containing(column: ColumnElement[Any], words: str) -> ColumnElement[bool]:
    """The column contains the words, upper or lower case."""
    return column.ilike(f"%{_escaped(words)}%", escape=_ESCAPE)


def matching(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """The column is equal to the pattern, in which `*` alone stands for any characters."""
    bounded = pattern[:MOST_CHARACTERS]
    if "*" not in bounded:
        return column == bounded
    return column.like("%".join(_escaped(part) for part in bounded.split("*")), escape=_ESCAPE)


def _escaped(words: str) -> str:
    bounded = words[:MOST_CHARACTERS].replace("\x00", "")
    return bounded.replace(_ESCAPE, _ESCAPE * 2).replace("%", f"{_ESCAPE}%").replace("_", f"{_ESCAPE}_")
