"""An operation is one method on one path: what it takes, what it gives, who may call it, and the code behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from pronoia.domain.audit import acting
from pronoia.domain.errors import FeatureDegradedError, NotFoundError, PronoiaError
from pronoia.domain.trust import Origin, Trust
from pronoia.faces.http import admission
from pronoia.faces.http.addresses import client_address
from pronoia.faces.http.auditing import actor_of
from pronoia.faces.http.decoding import convert_query, decode_json, read_query
from pronoia.faces.http.rate_limit import note_usage
from pronoia.faces.http.watch import exchange_of
from pronoia.resilience.admission import Importance, tells_nothing
from pronoia.services.rate_limits import Budget

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from ipaddress import IPv4Network, IPv6Network

    from litestar.types import HTTPScope

    from pronoia.config import Settings
    from pronoia.domain.identifiers import Scope
    from pronoia.domain.principals import Principal
    from pronoia.domain.records import Idempotency, Permission
    from pronoia.ports.telemetry import Telemetry
    from pronoia.services.features import Feature
    from pronoia.services.resilience import Resilience
    from pronoia.services.services import Services


DEGRADED_RETRY_SECONDS = 5
DEGRADED_REASON = "The server has too much to do and does without this for a while."


class Nothing(msgspec.Struct):
    """No body, or no query."""


Query = TypeVar("Query")
Body = TypeVar("Body")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every operation may use."""

    services: Services
    settings: Settings
    telemetry: Telemetry
    now: Callable[[], datetime]
    trusted_proxies: Sequence[IPv4Network | IPv6Network] = ()

    def address(self, scope: HTTPScope) -> str:
        """Name the address that a request without a valid key is charged to."""
        return client_address(scope, self.trusted_proxies)


@dataclass(frozen=True, slots=True)
class Caller:
    principal: Principal
    scope: Scope | None
    """None if the operation is about no user."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Query, Body]):
    """One request, admitted and decoded."""

    surroundings: Surroundings
    caller: Caller | None
    query: Query
    body: Body
    path: Mapping[str, str]
    headers: Mapping[str, str]
    peer: str | None
    """The address at the other end of the connection; None for a socket of this machine."""
    authenticate: Callable[[], Awaitable[Principal]]
    """Find out who it is whom nobody asked for it yet."""
    minimum_version: int | None
    idempotency: Idempotency | None
    route: str
    """Method and path of the operation."""

    @property
    def services(self) -> Services:
        return self.surroundings.services

    @property
    def principal(self) -> Principal:
        return self._admitted.principal

    @property
    def scope(self) -> Scope:
        if (scope := self._admitted.scope) is None:
            raise RuntimeError("An operation that is about no user has no scope.")
        return scope

    @property
    def origin(self) -> Origin:
        """Say who writes, and by what."""
        return Origin(self.principal.trust, self.principal.id, self.route)

    def least_trust(self, wanted: Trust | None) -> Trust:
        """Give what a memory must be trusted to be answered with: what the caller wants, else what the settings say."""
        return wanted or Trust(self.surroundings.settings.minimum_trust)

    def identifier(self, name: str) -> UUID:
        """Read an id off the path. What is no UUID is the id of nothing."""
        try:
            return UUID(self.path[name])
        except ValueError as error:
            raise NotFoundError("There is nothing with this id.") from error

    @property
    def _admitted(self) -> Caller:
        if self.caller is None:
            raise RuntimeError("An operation without a permission has no caller.")
        return self.caller


@dataclass(frozen=True, slots=True)
class Answer:
    """`version` is the user's memory version that the answer reflects."""

    body: object
    """Bytes are sent as they are, an AsyncIterator of bytes as they come."""
    version: int | None = None
    status: int | None = None
    """None means the operation's own."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Operation(Generic[Query, Body]):
    """`permission` None means that nobody is asked who they are."""

    method: str
    path: str
    """With parameters as {name}."""
    summary: str
    handle: Callable[[Call[Query, Body]], Awaitable[Answer]]
    answer: Any
    """The type of the answer's body, for the documentation."""
    permission: Permission | None
    query: type[Query]
    body: type[Body]
    status: int = 200
    of_user: bool = True
    """Whether it is about one user, whom a service key must then name."""
    media_type: str = "application/json"
    """Without a charset: one is added to text."""
    importance: Importance = Importance.ESSENTIAL
    """Who goes first when not all can be served; what asks nobody who they are is never turned away."""
    feature: Feature | None = None
    """What the server may do without for a while, this with it."""
    cheaper: Callable[[Call[Query, Body]], Awaitable[Answer]] | None = None
    """What answers meanwhile; without it calls are refused."""
    budget: Budget = Budget.ORDINARY
    """What a call is paid from. Without a permission nobody pays."""
    repeatable: bool = False
    """Whether a write does nothing more when it is done again: then it has no use for an Idempotency-Key."""


AnyOperation = Operation[Any, Any]


def route(operation: AnyOperation, surroundings: Surroundings) -> HTTPRouteHandler:
    """Make the handler that admits, decodes, calls and encodes."""
    decoder = msgspec.json.Decoder(operation.body)

    async def respond(request: Request[Any, Any, Any]) -> Response[bytes] | Stream:
        exchange_of(request.scope).route = operation.path
        raw = await request.body() if operation.body is not Nothing else b""
        principal = None if operation.permission is None else await _authenticate(surroundings, request)
        exchange_of(request.scope).principal = principal
        handle = _handler(operation, surroundings.services.resilience)
        call = await _call(operation, surroundings, request, principal, decoder, raw)
        with acting(actor_of(exchange_of(request.scope))):
            answer = await handle(call)
        headers = dict(answer.headers)
        if answer.version is not None:
            headers["x-memory-version"] = str(answer.version)
        status = answer.status or operation.status
        if isinstance(answer.body, AsyncIterator):
            chunks = cast("AsyncIterator[bytes]", answer.body)
            return Stream(chunks, status_code=status, headers=headers, media_type=operation.media_type)
        content = answer.body if isinstance(answer.body, bytes) else msgspec.json.encode(answer.body)
        return Response(content, status_code=status, headers=headers, media_type=operation.media_type)

    path = operation.path.replace("}", ":str}")
    return HTTPRouteHandler(path, http_method=operation.method, status_code=operation.status)(respond)  # pyright: ignore[reportArgumentType]


async def _call(
    operation: AnyOperation,
    surroundings: Surroundings,
    request: Request[Any, Any, Any],
    principal: Principal | None,
    decoder: msgspec.json.Decoder[Any],
    raw: bytes,
) -> Call[Any, Any]:
    headers = request.headers
    caller = None
    try:
        if principal is not None:
            admission.check_permission(principal, operation.permission)
        values = read_query(request.scope["query_string"])
        body = Nothing() if operation.body is Nothing else decode_json(decoder, raw)
        if principal is not None:
            scope = None
            if operation.of_user:
                names = [admission.user_header(headers), values.get("user_id"), getattr(body, "user_id", None)]
                scope = admission.resolve_scope(principal, names)
                exchange_of(request.scope).user_id = scope.user_id
            caller = Caller(principal, scope)
    except PronoiaError:
        # What is refused has cost something, too.
        await _charge(operation, surroundings, request, principal, None)
        raise
    await _charge(operation, surroundings, request, principal, caller)
    return Call(
        surroundings=surroundings,
        caller=caller,
        query=convert_query(values, operation.query),
        body=body,
        path=_nameable(request.path_params),
        headers=headers,
        peer=request.client.host if request.client is not None else None,
        authenticate=partial(_authenticate, surroundings, request),
        minimum_version=admission.minimum_version(headers),
        idempotency=admission.idempotency(headers, request.method, request.url.path, raw),
        route=f"{operation.method} {operation.path}",
    )


def _nameable(path: Mapping[str, str]) -> Mapping[str, str]:
    """Refuse what no row can be called by: PostgreSQL keeps no NUL."""
    if any("\0" in name for name in path.values()):
        raise NotFoundError("There is nothing with this id.")
    return path


def _handler(operation: AnyOperation, resilience: Resilience) -> Callable[[Call[Any, Any]], Awaitable[Answer]]:
    """Give what answers now. Raises FeatureDegradedError if nothing does."""
    feature = operation.feature
    if feature is None or not resilience.is_off(feature):
        return operation.handle
    resilience.degraded(feature)
    if operation.cheaper is None:
        raise FeatureDegradedError(DEGRADED_REASON, feature=feature.value, retry_after=DEGRADED_RETRY_SECONDS)
    tells_nothing()
    return operation.cheaper


async def _authenticate(surroundings: Surroundings, request: Request[Any, Any, Any]) -> Principal:
    """Find out who calls. Who has not proved it here lately makes an attempt, paid for by the address if it fails."""
    services = surroundings.services
    secret = admission.secret(request.headers)
    if services.authentication.knows(secret):
        return await services.authentication.authenticate(secret)
    async with services.limits.attempt(surroundings.address(request.scope)) as usage:
        note_usage(exchange_of(request.scope), usage)
        return await services.authentication.authenticate(secret)


async def _charge(
    operation: AnyOperation,
    surroundings: Surroundings,
    request: Request[Any, Any, Any],
    principal: Principal | None,
    caller: Caller | None,
) -> None:
    if principal is not None:
        scope = None if caller is None else caller.scope
        user = None if scope is None else scope.user_id
        note_usage(
            exchange_of(request.scope), await surroundings.services.limits.charge(principal, user, operation.budget)
        )
