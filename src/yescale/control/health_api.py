"""Whether this process lives, and whether it can do its work: for load balancers and orchestrators."""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import text

from yescale.control.access import Desk

router: Final = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(desk: Desk) -> JSONResponse:
    """The database answers too; otherwise DatabaseAway becomes 503."""
    async with desk.database.reading() as connection:
        await connection.execute(text("SELECT 1"))
    return JSONResponse({"status": "ok"})
