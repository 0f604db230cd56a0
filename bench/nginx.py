"""The floor: nginx with one worker as a bare reverse proxy, and nginx as a TLS front for the upstream."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.processes import BUSY_CORE, OTHER_CORE, Missing, Subject, find_pids, free_port, running, wait_for_port

# client_body_buffer_size holds the small bodies in memory, as a tuned installation would; a 5 MB body goes to a file.
CONFIG = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_rlimit_nofile 20000;
events {{ worker_connections 15000; multi_accept on; }}
http {{
  access_log {folder}/access.log; keepalive_requests 1000000000; client_max_body_size 64m; client_body_buffer_size 64k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 6000; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096 {tls};
    {certificate}
    location / {{
      proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer sk-upstream"; proxy_buffering off;
    }}
  }}
}}
"""


def require_nginx() -> str:
    """The path of nginx. Raises Missing."""
    path = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if path is None:
        raise Missing("nginx is not installed: apt-get install nginx-light")
    return path


@contextlib.contextmanager
def proxying(folder: Path, upstream: int, certificate: tuple[Path, Path] | None = None) -> Iterator[Subject]:
    """nginx before the upstream; with a certificate it speaks TLS and stands on the other core."""
    path, port = require_nginx(), free_port()
    folder.mkdir(mode=0o755)
    tls = "ssl" if certificate else ""
    lines = f"ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};" if certificate else ""
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, upstream=upstream, port=port, tls=tls, certificate=lines))
    core = OTHER_CORE if certificate else BUSY_CORE
    with running([path, "-p", str(folder), "-c", str(config), "-g", "user root;"], core=core, cwd=folder) as pid:
        wait_for_port(port)
        workers = tuple(find_pids(pid, "worker process"))
        yield Subject(name="nginx", port=port, pids=workers, keys=("sk-any",))
