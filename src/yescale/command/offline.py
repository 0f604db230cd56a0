"""Operations without a server: carried out here, under the lock that the control process would hold."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Self

import msgspec

from yescale.command.asking import Refusal
from yescale.control import app, bootstrap
from yescale.control.context import Context
from yescale.control.node import HomeTaken
from yescale.control.operations import OperationRefused, operate
from yescale.serve.health import base_url
from yescale.serve.home import prepare
from yescale.serve.preflight import check_database
from yescale.settings import Settings, SetupError
from yescale.store.database import DatabaseAway


class Offline:
    """The database of an installation that does not run; a new one gets first what a first start makes."""

    def __init__(self, settings: Settings) -> None:
        prepare(settings)
        check_database(settings)
        self._runner = asyncio.Runner()
        self._open = AsyncExitStack()
        try:
            self._context = self._runner.run(self._enter(settings))
        except (HomeTaken, app.Misconfigured, DatabaseAway) as error:
            self._close()
            raise SetupError(str(error)) from error

    def ask(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """The result, as JSON would show it. Raises Refusal, SetupError."""
        try:
            return msgspec.to_builtins(self._runner.run(operate(self._context, operation, arguments)))
        except OperationRefused as error:
            raise Refusal(str(error)) from error
        except DatabaseAway as error:
            raise SetupError(str(error)) from error

    async def _enter(self, settings: Settings) -> Context:
        context = await self._open.enter_async_context(app.offline(settings))
        if context.note_file is not None and not context.note_file.exists():
            addresses = bootstrap.Addresses(base_url=base_url(settings))
            await bootstrap.prepare(context.database, context.vault, context.note_file, addresses, context.trial)
        return context

    def _close(self) -> None:
        self._runner.run(self._open.aclose())
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
