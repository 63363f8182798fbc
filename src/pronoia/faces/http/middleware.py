"""The outermost layer of every request: identity, size, time, headers, and the last answer to a failure."""

from __future__ import annotations

import asyncio
import re
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog

from pronoia.domain.errors import OverloadedError, PayloadTooLargeError, PronoiaError, UnavailableError
from pronoia.faces.http.auditing import note_refusal
from pronoia.faces.http.errors import RequestTimeoutError, error_answer
from pronoia.faces.http.protocol import has_hung_up, is_first
from pronoia.faces.http.rate_limit import usage_headers
from pronoia.faces.http.watch import Exchange, known_method
from pronoia.resilience.admission import Importance
from pronoia.resilience.deadline import deadline, time_left

if TYPE_CHECKING:
    from litestar.types import (
        ASGIApp,
        HTTPReceiveMessage,
        HTTPRequestEvent,
        HTTPResponseStartEvent,
        HTTPScope,
        Message,
        Receive,
        Scope,
        Send,
        WebSocketReceiveMessage,
    )

    from pronoia.faces.http.entrances import Entrance, Entrances
    from pronoia.faces.http.operation import Surroundings
    from pronoia.faces.http.watch import RequestWatch

DRAINED_LIMITS = 8
"""How many times the limit is still read and thrown away, so that a client gets to read its 413."""
SHED_RETRY_SECONDS = 1
BODY_SECONDS = 10.0
"""From the end of a request's head to the end of its body: what drips holds a connection no longer."""
REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
SECURITY_HEADERS = (
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"origin-agent-cluster", b"?1"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-dns-prefetch-control", b"off"),
    (b"x-download-options", b"noopen"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"x-permitted-cross-domain-policies", b"none"),
    (b"x-xss-protection", b"0"),
)

log = structlog.get_logger(__name__)


class ClientGoneError(Exception):
    """The client hung up before its request was complete."""


class Boundary:
    """Wraps the application. What passes through has an id and a whole body of bounded size, and ends in time.

    What there is no room for is turned away before its body is read.
    """

    def __init__(self, app: ASGIApp, surroundings: Surroundings, watch: RequestWatch, entrances: Entrances) -> None:
        self._app = app
        self._surroundings = surroundings
        self._watch = watch
        self._entrances = entrances
        self._resilience = surroundings.services.resilience
        self._maximum_body_bytes = surroundings.settings.maximum_body_bytes
        self._timeout_seconds = surroundings.settings.request_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(_request_id(scope), known_method(scope["method"]))
        scope.setdefault("state", {})["exchange"] = exchange
        with self._watch.watching(exchange, scope["headers"]):
            await self._respond(scope, receive, _Answer(scope, send, exchange, self._surroundings))
        note_refusal(exchange, self._surroundings.services.audit)

    async def _respond(self, scope: HTTPScope, receive: Receive, answer: _Answer) -> None:
        try:
            await self._within_time(scope, receive, answer)
        except ClientGoneError:
            return
        except PronoiaError as error:
            await answer.fail(error)
        except Exception:  # the process edge: whatever else goes wrong ends this request only
            log.exception(
                "request.failed",
                request_id=answer.exchange.request_id,
                method=answer.exchange.method,
                route=answer.exchange.route,
            )
            await answer.fail(PronoiaError("Something went wrong here. Quote the request id to the operator."))

    async def _within_time(self, scope: HTTPScope, receive: Receive, answer: _Answer) -> None:
        entrance = self._entrances.find(answer.exchange.method, scope["path"])
        if self._resilience.gate.is_crowded or is_first(scope):
            await self._look_who_waits(scope)
        self._refuse_without_room(entrance.importance)
        received = False
        receiving = min(BODY_SECONDS, self._timeout_seconds)
        ends = asyncio.get_running_loop().time() + self._timeout_seconds
        try:
            async with asyncio.timeout(receiving) as limit:
                with deadline(self._timeout_seconds):
                    body = await self._read(scope, receive)
                    answer.exchange.received_bytes = len(body)
                    received = True
                    limit.reschedule(ends)
                    await self._enter(entrance, scope, _replay(body, receive), answer)
        except TimeoutError as error:
            if not received:
                raise RequestTimeoutError("The request did not arrive in time.", limit=receiving) from error
            raise UnavailableError("The answer took too long. Try again.") from error

    async def _look_who_waits(self, scope: HTTPScope) -> None:
        """End a request whose client has hung up.

        In an overload that is most of those that waited to be read, or with a new connection, to be accepted: libuv
        accepts one at each turn of the loop.
        """
        await asyncio.sleep(0)  # lets the loop read the end that follows the request
        if has_hung_up(scope):
            raise ClientGoneError

    def _refuse_without_room(self, importance: Importance) -> None:
        if not self._resilience.gate.has_room_for(importance):
            self._resilience.shed(importance)
            raise OverloadedError("The server has too much to do. Try again.", retry_after=SHED_RETRY_SECONDS)

    async def _enter(self, entrance: Entrance, scope: HTTPScope, receive: Receive, answer: _Answer) -> None:
        if entrance.importance is Importance.ALWAYS:
            await self._app(scope, receive, answer.send)
            return
        with self._resilience.gate.passing(entrance.kind) as measured:
            try:
                await self._app(scope, receive, answer.send)
            except asyncio.CancelledError:
                measured.timed_out = time_left(1.0) == 0
                raise
            # What is refused takes no time, and would make all else look slow.
            measured.told = measured.told and answer.exchange.status < HTTPStatus.BAD_REQUEST

    async def _read(self, scope: HTTPScope, receive: Receive) -> bytes:
        limit = self._maximum_body_bytes
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and int(announced) > limit * DRAINED_LIMITS:
            raise self._too_large()
        chunks: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientGoneError
            chunk = message["body"]
            size += len(chunk)
            if size <= limit:
                chunks.append(chunk)
            elif size > limit * DRAINED_LIMITS:
                break
            more = message["more_body"]
        if size > limit:
            raise self._too_large()
        return b"".join(chunks)

    def _too_large(self) -> PayloadTooLargeError:
        limit = self._maximum_body_bytes
        return PayloadTooLargeError(f"The body may have {limit} bytes.", field="body", limit=limit)


class _Answer:
    """Sends one answer, with the headers that every answer carries."""

    def __init__(self, scope: HTTPScope, send: Send, exchange: Exchange, surroundings: Surroundings) -> None:
        self.exchange = exchange
        self._scope = scope
        self._send = send
        self._surroundings = surroundings
        self._started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self.exchange.status = message["status"]
            own = (b"x-request-id", self.exchange.request_id.encode())
            limits = usage_headers(self.exchange, self._scope, self._surroundings)
            message["headers"] = [*message.get("headers", ()), own, *limits, *SECURITY_HEADERS]
        elif message["type"] == "http.response.body":
            self.exchange.sent_bytes += len(message["body"])
        await self._send(message)

    async def fail(self, error: PronoiaError) -> None:
        """Answer with an error, unless an answer has begun: then there is nothing left to say."""
        if self._started:
            return
        self.exchange.error_code = error.code
        answer = error_answer(error, self.exchange.request_id)
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        headers.append((b"content-length", str(len(answer.body)).encode()))
        start: HTTPResponseStartEvent = {"type": "http.response.start", "status": answer.status, "headers": headers}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": answer.body, "more_body": False})


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> HTTPReceiveMessage | WebSocketReceiveMessage:
        nonlocal given
        if given:
            return await receive()
        given = True
        event: HTTPRequestEvent = {"type": "http.request", "body": body, "more_body": False}
        return event

    return replayed


def _request_id(scope: HTTPScope) -> str:
    sent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
    return sent if REQUEST_ID.fullmatch(sent) else str(uuid.uuid4())
