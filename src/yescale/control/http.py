"""The public HTTP application of control: its routes, its answers to all else, and the server that carries it."""

import asyncio
import logging
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from yescale.control import billing_api, health_api, redeem_api, responses_api, system_api
from yescale.control.answers import ANSWERS, RequestIds
from yescale.control.api import account, channels, codes, keys, limits, quotes, refunds, routes, topups, usage
from yescale.control.context import Context

_LOG: Final = logging.getLogger(__name__)
PARTS: Final = (
    system_api,
    redeem_api,
    billing_api,
    responses_api,
    health_api,
    account,
    codes,
    refunds,
    topups,
    usage,
    limits,
    keys,
    quotes,
    channels,
    routes,
)
_BACKLOG: Final = 2048
_KEEP_ALIVE_S: Final = 75


def build_app(context: Context) -> FastAPI:
    """The application: what is not here is answered in OpenAI's words."""
    app = FastAPI(
        title="yescale",
        summary="Accounts, keys, logs and catalogue of a yescale gateway.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=ANSWERS,
    )
    app.state.context = context
    for part in PARTS:
        app.include_router(part.router)
    app.add_middleware(RequestIds)
    return app


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: control leaves in an order of its own."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals alone."""
        yield


class HttpServer:
    """Serves an application on a Unix socket."""

    def __init__(self, app: FastAPI, path: Path, drain_s: float) -> None:
        config = uvicorn.Config(
            app,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, int(drain_s)),
        )
        self._path = path
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen; returns when requests are answered. The socket of an earlier life is replaced."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self._path))
        self._path.chmod(0o600)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        self._serving = asyncio.create_task(self._server.serve([listener]))
        while not self._server.started and not self._serving.done():  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.005)
        if self._serving.done():
            self._serving.result()

    async def close(self) -> None:
        """Stop listening, finish the requests in flight, end."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
