"""The table of `yescale admin` against what control can do, and how results are shown."""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from yescale.__main__ import COMMANDS, main
from yescale.command.admin import OPERATIONS, Operation, shown
from yescale.command.kinds import models_of, words_of
from yescale.command.secrets import read_secret
from yescale.control.operations import OPERATIONS as CONTROLS

BY_NAME = {operation.name: operation for operation in OPERATIONS}


def asked(name: str, **options: Any) -> dict[str, Any]:
    """Control's arguments of an operation, with nothing given but `options`."""
    operation = BY_NAME[name]
    return operation.asked(
        {argument.key: options.get(argument.key, argument.default) for argument in operation.arguments}
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_control_can_do_what_the_command_line_offers(operation: Operation) -> None:
    takes = {field.name for field in msgspec.structs.fields(CONTROLS[operation.name].arguments)}
    given = {argument.field or argument.key for argument in operation.arguments}
    assert given - takes <= ({"unlimited"} if operation.shape else set())


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_the_command_line_asks_for_what_control_requires(operation: Operation) -> None:
    fields = msgspec.structs.fields(CONTROLS[operation.name].arguments)
    required = {field.name for field in fields if field.required}
    certain = {
        argument.field or argument.key
        for argument in operation.arguments
        if argument.required or argument.default is not None or not argument.name.startswith("-")
    }
    assert required <= certain


def test_the_command_line_offers_all_that_control_can_do() -> None:
    assert set(CONTROLS) - {"channel matches"} <= set(BY_NAME)  # that one is for `yescale apply`


def test_what_was_not_given_is_left_out() -> None:
    assert asked("channel edit", id=1, weight=2) == {"id": 1, "weight": 2}


def test_a_key_is_unlimited_unless_a_quota_is_given() -> None:
    assert asked("key create", user="u") == {"username": "u", "name": "default"}
    assert asked("key create", user="u", unlimited=True) == {"username": "u", "name": "default"}
    assert asked("key create", user="u", quota=5) == {"username": "u", "name": "default", "quota": 5}
    assert asked("key edit", id=1, unlimited=True) == {"id": 1, "quota": None}
    assert asked("key edit", id=1) == {"id": 1}


def test_models_may_have_other_names_at_the_provider() -> None:
    assert models_of("a, b=theirs,,c=") == {"a": "a", "b": "theirs", "c": "c"}
    assert words_of("a, b,,") == ("a", "b")


def test_a_secret_comes_from_a_variable_and_is_not_repeated_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_TEST", "canary")
    assert read_secret("env:OF_THE_TEST") == "canary"
    assert read_secret("canary") == "canary"
    with pytest.raises(argparse.ArgumentTypeError, match="NOT_SET is not set"):
        read_secret("env:NOT_SET")
    with pytest.raises(argparse.ArgumentTypeError, match="the secret is empty"):
        read_secret("")


def test_a_secret_comes_from_standard_input(tmp_path: Path) -> None:
    script = "from yescale.command.secrets import read_secret; print(read_secret('-'))"
    run = subprocess.run(
        [sys.executable, "-c", script], input="canary\nmore\n", capture_output=True, text=True, check=True
    )
    assert run.stdout == "canary\n"


def test_results_are_shown_as_a_table_or_as_lines() -> None:
    rows = [{"id": 1, "name": "a", "on": True}, {"id": 22, "name": "x" * 50, "on": False}]
    assert shown(rows).splitlines() == [
        f"id  name{' ' * 36}  on",
        f"1   a{' ' * 39}  yes",
        f"22  {'x' * 37}...  no",
    ]
    assert shown({"id": 1, "models": ["a"], "none": None}) == 'id      1\nmodels  ["a"]\nnone    -\n'
    assert shown({"items": rows[:1], "total": 7, "page": 1}).endswith("7 in all\n")
    assert shown([]) == "there is none\n"


def test_a_quota_and_unlimited_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["admin", "key", "create", "--user", "u", "--quota", "5", "--unlimited"])
    assert raised.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_every_command_that_people_see_is_explained_and_the_others_are_hidden(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown_words = capsys.readouterr().out
    for command in COMMANDS:
        if command.words[0] in {"worker", "control"}:
            assert command.words[0] not in shown_words.split()
        else:
            assert command.summary
            assert all(argument.help or argument.key in {"lifeline", "fd"} for argument in command.arguments)


def test_the_supervisor_and_the_online_command_line_load_no_database_and_no_web_framework() -> None:
    modules = "yescale.__main__, yescale.serve.supervisor, yescale.serve.children, yescale.command.asking"
    large = {"sqlalchemy", "fastapi", "uvicorn", "alembic", "aiosqlite", "yaml"}
    script = f"import sys, {modules}; print(sorted({large} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
