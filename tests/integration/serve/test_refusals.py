"""`yescale serve` where it cannot begin: one line on stderr that says what to do, and exit code 2."""

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def serve(*arguments: object, files: int = 4096, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `yescale serve` where it is expected to give up."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    ours = {name: value for name, value in os.environ.items() if not name.startswith("YESCALE_")} | environ
    words = [sys.executable, "-m", "yescale", "serve", *(str(word) for word in arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, env=ours, preexec_fn=limit, check=False)


def refusal(run: subprocess.CompletedProcess[str]) -> str:
    """The one line that was said."""
    assert run.returncode == 2, run.stderr
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith("yescale: ")
    return line


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_that_is_taken_is_named(tmp_path: Path, taken: int) -> None:
    said = refusal(serve("--home", tmp_path / "home", "--port", taken))
    assert f"cannot listen on 127.0.0.1:{taken}: address already in use; choose another" in said


def test_a_port_that_another_program_shares_is_taken_as_well(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as listener:
        said = refusal(serve("--home", tmp_path / "home", "--port", listener.getsockname()[1]))
    assert "address already in use" in said


def test_a_host_that_is_not_ours_is_named(tmp_path: Path) -> None:
    assert "cannot listen on 192.0.2.1:" in refusal(serve("--home", tmp_path / "home", "--host", "192.0.2.1"))
    assert "cannot listen on 'no.such.invalid'" in refusal(serve("--home", tmp_path, "--host", "no.such.invalid"))


@pytest.mark.parametrize("home", ["file", "file/below", "/proc/yescale"])
def test_a_home_that_cannot_be_written_is_named(tmp_path: Path, home: str) -> None:
    (tmp_path / "file").touch()
    said = refusal(serve("--home", tmp_path / home))
    assert f"cannot use the home {tmp_path / home}: " in said
    assert "choose another with --home" in said


def test_a_home_whose_path_is_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    assert "bytes too long for its sockets" in refusal(serve("--home", tmp_path / ("x" * 90)))


BAD_URLS = (
    ("mysql://u:canary@h/d", "the database URL begins with 'mysql'"),
    ("nonsense", "the database URL names no database system"),
    ("postgresql://u:canary@127.0.0.1:1/d", "cannot reach the database at 127.0.0.1:1: connection refused"),
    ("postgresql://u:canary@127.0.0.1:port/d", "the database URL cannot be read"),
    ("sqlite:////no/such/folder/x.db", "the folder of the database /no/such/folder/x.db does not exist"),
    ("sqlite://", "must name a SQLite file"),
    ("sqlite:///:memory:", "must name a SQLite file"),
)


@pytest.mark.parametrize(("url", "said"), BAD_URLS, ids=[url for url, _ in BAD_URLS])
def test_a_database_url_that_leads_nowhere_is_explained_without_its_password(
    tmp_path: Path, url: str, said: str
) -> None:
    line = refusal(serve("--home", tmp_path / "home", "--port", 0, "--database", url))
    assert said in line
    assert "canary" not in line


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("some other program's file")
    said = refusal(serve("--home", tmp_path / "home", "--port", 0, "--database", f"sqlite:///{tmp_path / 'x.db'}"))
    assert "x.db is no SQLite database" in said


def test_too_few_file_descriptors_are_refused(tmp_path: Path) -> None:
    said = refusal(serve("--home", tmp_path / "home", "--port", 0, files=256))
    assert "only 256 file descriptors are allowed, and yescale needs 1024" in said


def test_an_unknown_variable_is_refused_with_the_closest_name(tmp_path: Path) -> None:
    said = refusal(serve("--home", tmp_path / "home", YESCALE_WORKRES="2"))
    assert "did you mean YESCALE_WORKERS?" in said


def test_an_unknown_setting_in_the_file_is_refused_with_the_closest_name(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("server: {fiels: 9}\n")
    assert "did you mean server.files?" in refusal(serve("--home", tmp_path))


def test_a_file_without_certificates_to_trust_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    said = refusal(serve("--home", tmp_path / "home", "--port", 0, YESCALE_UPSTREAM_CA_FILE=str(tmp_path / "ca.pem")))
    assert f"upstream_ca_file {tmp_path / 'ca.pem'} cannot be used" in said
    assert "name a file of certificates in PEM" in said
