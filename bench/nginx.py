"""The floor: nginx with one worker as a bare reverse proxy, and nginx as a TLS front for the upstream."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.certificates import Papers
from bench.processes import BUSY_CORE, OTHER_CORE, Missing, Subject, free_port, running, wait_for_pids, wait_for_port

# client_body_buffer_size holds the small bodies in memory, as a tuned installation would; a 5 MB body goes to a file.
CONFIG = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_rlimit_nofile 20000;
events {{ worker_connections 15000; multi_accept on; }}
http {{
  access_log {folder}/access.log; keepalive_requests 1000000000; client_max_body_size 64m; client_body_buffer_size 64k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Authorization "Bearer sk-upstream";
  proxy_buffering off;
  {servers}
}}
"""
SERVER = """
  upstream {name} {{ server 127.0.0.1:{upstream}; keepalive 6000; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096 {listen};
    {lines}
    location / {{ proxy_pass {scheme}://{name}; }}
  }}
"""


def require_nginx() -> str:
    """The path of nginx. Raises Missing."""
    path = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if path is None:
        raise Missing("nginx is not installed: apt-get install nginx-light")
    return path


@contextlib.contextmanager
def proxying(folder: Path, upstream: int, tls_upstream: int, papers: Papers) -> Iterator[Subject]:
    """nginx before the upstream, and on another port before the same upstream behind TLS."""
    port, tls_port = free_port(), free_port()
    trust = (
        f"proxy_ssl_trusted_certificate {papers.authority}; proxy_ssl_verify on; proxy_ssl_name localhost; "
        "proxy_ssl_protocols TLSv1.3; proxy_ssl_session_reuse on;"
    )
    servers = _server("plain", upstream, port) + _server("tls", tls_upstream, tls_port, scheme="https", lines=trust)
    with _running(folder, servers, BUSY_CORE, port) as workers:
        yield Subject(name="nginx", port=port, tls_port=tls_port, pids=workers, keys=("sk-any",))


@contextlib.contextmanager
def terminating(folder: Path, upstream: int, papers: Papers) -> Iterator[int]:
    """The port of a TLS 1.3 front of the upstream, on the other core: part of what drives, not of what is measured."""
    port = free_port()
    lines = f"ssl_certificate {papers.certificate}; ssl_certificate_key {papers.key}; ssl_protocols TLSv1.3;"
    with _running(folder, _server("plain", upstream, port, listen="ssl", lines=lines), OTHER_CORE, port):
        yield port


def _server(name: str, upstream: int, port: int, *, listen: str = "", scheme: str = "http", lines: str = "") -> str:
    return SERVER.format(name=name, upstream=upstream, port=port, listen=listen, scheme=scheme, lines=lines)


@contextlib.contextmanager
def _running(folder: Path, servers: str, core: int, port: int) -> Iterator[tuple[int, ...]]:
    path = require_nginx()
    folder.mkdir(mode=0o755)
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, servers=servers))
    with running([path, "-p", str(folder), "-c", str(config), "-g", "user root;"], core=core, cwd=folder) as pid:
        wait_for_port(port)
        yield tuple(wait_for_pids(pid, "worker process"))
