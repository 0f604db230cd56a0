"""`yescale doctor`: what it sees in a home, and what it says to do."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from yescale.command import doctor
from yescale.settings import load


def examined(home: Path, *arguments: str, **environ: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The exit code and the findings by check."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("YESCALE_")} | environ
    command = [sys.executable, "-m", "yescale", "doctor", "--json", "--home", str(home), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, env=ours, check=False)
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(run.stdout):
        found.setdefault(finding["check"], []).append(finding)
    return run.returncode, found


def levels(found: dict[str, list[dict[str, Any]]], check: str) -> list[str]:
    return [finding["level"] for finding in found[check]]


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


def test_a_home_that_does_not_exist_yet_is_healthy_and_is_not_made(tmp_path: Path) -> None:
    code, found = examined(tmp_path / "home", YESCALE_PORT=free_port())
    assert code == 0
    assert {level for check in found for level in levels(found, check)} == {"ok"}
    assert not (tmp_path / "home").exists()


def test_a_setting_that_cannot_be_read_is_the_only_finding(tmp_path: Path) -> None:
    code, found = examined(tmp_path, YESCALE_PROT="1")
    assert code == 1
    assert list(found) == ["configuration"]
    assert "did you mean YESCALE_PORT?" in found["configuration"][0]["found"]


def test_a_home_that_others_may_look_into_is_a_warning(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / "master.key").write_text("x")
    (home / "master.key").chmod(0o644)
    code, found = examined(home, YESCALE_PORT=free_port())
    assert (code, levels(found, "home")) == (0, ["warn"])
    assert "master.key" in found["home"][0]["found"]
    assert found["home"][0]["todo"] == f"chmod -R go= {home}"


def test_a_port_that_is_taken_and_a_database_that_is_away_fail(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        away = f"postgresql://u:canary@127.0.0.1:{free_port()}/d"
        code, found = examined(tmp_path, "--database", away, YESCALE_PORT=port)
    assert code == 1
    assert levels(found, "port") == ["fail"]
    assert levels(found, "database") == ["fail"]
    assert "canary" not in json.dumps(found)


def test_a_full_disk_and_too_few_files_fail(tmp_path: Path) -> None:
    floor = {"YESCALE_JOURNAL_FREE_FLOOR_BYTES": str(2**60), "YESCALE_SERVER_FILES_LEAST": "10000000"}
    code, found = examined(tmp_path, **floor)
    assert code == 1
    assert levels(found, "disk") == ["fail"]
    assert "YESCALE_JOURNAL_FREE_FLOOR_BYTES" in found["disk"][0]["todo"]


MOUNTS = """\
/dev/root / ext4 rw 0 0
tmpfs /var tmpfs rw 0 0
nas:/home /var/net\\040work nfs4 rw 0 0
/dev/sdb /var/net\\040work/local xfs rw 0 0
u@h: /mnt/there fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "kind", "level"),
    [
        ("/somewhere", "ext4", "ok"),
        ("/var/lib", "tmpfs", "ok"),
        ("/var/net work/yescale", "nfs4", "fail"),
        ("/var/net work/local/yescale", "xfs", "ok"),
        ("/mnt/there", "fuse.sshfs", "fail"),
    ],
)
def test_journals_on_a_network_file_system_are_refused(place: str, kind: str, level: str) -> None:
    assert doctor.file_system(Path(place), MOUNTS) == kind
    assert doctor.judged(Path(place), kind).level == level


def test_a_path_that_does_not_exist_is_judged_by_where_it_will_lie(tmp_path: Path) -> None:
    settings = load({}, {"home": str(tmp_path / "a" / "b")})
    assert [finding.level for finding in doctor.check_journals(settings)] == ["ok"]
