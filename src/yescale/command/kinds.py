"""Kinds of arguments: what the words on a command line mean."""

import json
from argparse import ArgumentTypeError
from typing import Any, cast

from yescale.command.secrets import read_secret


def words_of(text: str) -> tuple[str, ...]:
    """The words between commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def models_of(text: str) -> dict[str, str]:
    """Our names of models to the provider's, of `a,b=theirs`."""
    pairs = (word.partition("=") for word in words_of(text))
    return {ours.strip(): theirs.strip() or ours.strip() for ours, _, theirs in pairs}


def tags_of(text: str) -> dict[str, str]:
    """The pairs of `name=value,other=value`."""
    pairs = (word.partition("=") for word in words_of(text))
    return {name.strip(): value.strip() for name, _, value in pairs}


def object_of(text: str) -> dict[str, Any]:
    """An object of JSON, which may hold credentials: itself, `env:NAME` or `-`."""
    try:
        found = json.loads(read_secret(text))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ArgumentTypeError("it is no object of JSON")
    return cast("dict[str, Any]", found)
