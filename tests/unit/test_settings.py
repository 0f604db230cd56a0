"""Settings: where they come from, who wins, and what is said of a wrong one."""

from pathlib import Path
from typing import Any

import pytest

from yescale.settings import (
    SetupError,
    documented,
    every_setting,
    from_environment,
    load,
    to_environment,
    without_settings,
)

ROWS = tuple(every_setting())


def loaded(home: Path, environ: dict[str, str] | None = None, **given: Any) -> Any:
    return load(environ or {}, {"home": str(home), **given})


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("port: 1\nworkers: 1\nhost: 0.0.0.0\nserver:\n  files: 5000\n")
    settings = loaded(tmp_path, {"YESCALE_PORT": "2", "YESCALE_WORKERS": "2"}, port="3")
    assert (settings.port, settings.workers, settings.host, settings.server.files) == (3, 2, "0.0.0.0", 5000)
    assert settings.server.drain_timeout_s == 600.0


def test_an_option_that_was_not_given_says_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, {"YESCALE_PORT": "2"}, port=None).port == 2


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, {"YESCALE_PORT": ""}).port == 3000


def test_the_home_comes_from_the_environment_and_is_made_absolute() -> None:
    assert load({"YESCALE_HOME": "some/where"}, {}).home == Path.cwd() / "some/where"
    assert load({}, {}).home == Path("~/.yescale").expanduser()


WRONG = (
    ({"YESCALE_PROT": "1"}, {}, "YESCALE_PROT is no setting of yescale; did you mean YESCALE_PORT?"),
    ({"YESCALE_PORT": "abc"}, {}, "YESCALE_PORT = 'abc' cannot be used: expected `int`"),
    ({"YESCALE_PORT": "65536"}, {}, "expected `int` <= 65535"),
    ({"YESCALE_WORKERS": "-1"}, {}, "expected `int` >= 0"),
    ({"YESCALE_SERVER_LIMITS_HEAD_S": "nan"}, {}, "expected a finite number"),
    ({"YESCALE_LOG_LEVEL": "loud"}, {}, "YESCALE_LOG_LEVEL = 'loud' cannot be used"),
    ({"YESCALE_CERT_FILE": "a.pem"}, {}, "cert_file and key_file go together"),
    ({"YESCALE_SERVER_TRUSTED_PROXIES": "10.0.0.1, lb"}, {}, "server.trusted_proxies: 'lb' is no address or network"),
    ({}, {"port": "x"}, "--port = 'x' cannot be used"),
    ({}, {"database": "mysql://u:hidden@h/d"}, "the database URL begins with 'mysql'"),
    ({}, {"database": "http://[::1"}, "the database URL cannot be read"),
)


@pytest.mark.parametrize(("environ", "given", "said"), WRONG, ids=[said for _, _, said in WRONG])
def test_a_wrong_value_is_named_and_explained(
    tmp_path: Path, environ: dict[str, str], given: dict[str, Any], said: str
) -> None:
    with pytest.raises(SetupError) as raised:
        loaded(tmp_path, environ, **given)
    assert said in str(raised.value)
    assert "hidden" not in str(raised.value)
    assert "\n" not in str(raised.value)


WRONG_FILES = (
    ("prot: 1", "prot is no setting of yescale; did you mean port?"),
    ("server:\n  fils: 1", "server.fils is no setting of yescale; did you mean server.files?"),
    ("server: 1", "server must be a mapping of settings"),
    ("- port", "the document must be a mapping of settings"),
    ("port: [1]", "port = [1] cannot be used: expected `int`"),
    ("home: /x", "the home cannot be set in the file that lies in it"),
    ("port: 1\nmaster_secret: {hidden", "is no valid YAML (line 2)"),
    ("server:\n  limits:\n    head_s: fast", "server.limits.head_s = 'fast' cannot be used"),
)


@pytest.mark.parametrize(("text", "said"), WRONG_FILES, ids=[said for _, said in WRONG_FILES])
def test_a_wrong_file_is_named_and_explained(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "settings.yaml").write_text(text)
    with pytest.raises(SetupError) as raised:
        loaded(tmp_path)
    assert said in str(raised.value)
    assert str(tmp_path / "settings.yaml") in str(raised.value)
    assert "hidden" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "server:\n", "# only a comment\n"])
def test_a_file_may_be_as_good_as_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.yaml").write_text(text)
    assert loaded(tmp_path).port == 3000


def test_a_secret_is_not_repeated_in_an_error(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("master_secret: [canary]")
    with pytest.raises(SetupError) as raised:
        loaded(tmp_path)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("postgres://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql://h/d?sslmode=require", "postgresql+asyncpg://h/d?sslmode=require"),
        ("postgresql+asyncpg://h/d", "postgresql+asyncpg://h/d"),
        ("sqlite:////tmp/x.db", "sqlite+aiosqlite:////tmp/x.db"),
    ],
)
def test_a_database_url_gets_the_driver_that_yescale_uses(tmp_path: Path, given: str, url: str) -> None:
    assert loaded(tmp_path, {"YESCALE_DATABASE_URL": given}).database_url == url


def test_variables_of_clients_are_let_be(tmp_path: Path) -> None:
    assert loaded(tmp_path, {"YESCALE_API_KEY": "sk-1", "YESCALE_BASE_URL": "http://x"}).port == 3000


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.variable)
def test_every_setting_travels_to_a_child_unchanged(tmp_path: Path, row: Any) -> None:
    other = {bool: "true", int: "4097", float: "77.5", str: "other", Path: str(tmp_path)}
    special = {"log_level": "debug", "database": "postgresql://h/d", "cert_file": "x", "key_file": "x"}
    special |= {"money.insufficient_funds_status": "403", "server.trusted_proxies": "10.0.0.0/8, ::1"}
    special |= {"routing.prefer": "latency", "routing.stick": "false"}
    kind = next((kind for kind in (bool, int, float, Path) if isinstance(row.default, kind)), str)
    text = str(tmp_path) if row.key == "home" else special.get(row.key, other[kind])
    pair = {"YESCALE_CERT_FILE": "x", "YESCALE_KEY_FILE": "x"}
    settings = load({"YESCALE_HOME": str(tmp_path), row.variable: text, **pair}, {})
    assert settings != load({"YESCALE_HOME": str(tmp_path), **pair}, {}) or row.key in {"home", "cert_file", "key_file"}
    assert from_environment(to_environment(settings)) == settings


def test_a_child_does_not_read_the_file_again(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    (tmp_path / "settings.yaml").write_text("port: 1\nbroken: 1\n")
    assert from_environment(to_environment(settings)) == settings


def test_the_rest_of_the_environment_is_inherited_without_ours() -> None:
    assert without_settings({"PATH": "/bin", "YESCALE_MASTER_SECRET": "x"}) == {"PATH": "/bin"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.variable)
def test_every_setting_has_one_name_and_is_a_scalar(row: Any) -> None:
    assert [other.variable for other in ROWS].count(row.variable) == 1
    assert row.default is None or isinstance(row.default, bool | int | float | str)


def test_every_setting_says_what_it_means() -> None:
    silent = [setting.key for setting, meaning in documented() if not meaning and len(setting.path) < 3]
    assert silent == []
