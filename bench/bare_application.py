"""The same web stack with nothing behind it: what any Litestar application on uvicorn costs on this machine."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec
import uvicorn
from litestar import Litestar, Request, Response, get, post


class Body(msgspec.Struct):
    query: str = ""


@get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@post("/")
async def echo(request: Request[Any, Any, Any]) -> Response[bytes]:
    body = msgspec.json.decode(await request.body(), type=Body)
    return Response(msgspec.json.encode(body), media_type="application/json")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    uvicorn.run(
        Litestar([health, echo], openapi_config=None, logging_config=None),
        port=parser.parse_args().port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
