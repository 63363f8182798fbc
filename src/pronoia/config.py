"""The only reader of the environment. Every setting is `PRONOIA_` and its name in capitals."""

from __future__ import annotations

import os
from datetime import UTC, tzinfo
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "PRONOIA_"
OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""The one variable of others that is heeded: every tool of OpenTelemetry knows it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may change. The description of each says what it costs."""

    data: Annotated[str, Meta(description="Folder of the embedded PostgreSQL. Ignored with a database URL.")] = "data"
    database_url: Annotated[
        str, Meta(description="PostgreSQL to use instead of the embedded one: postgresql://user:password@host/name.")
    ] = ""
    wal_archive: Annotated[
        str,
        Meta(
            description="Folder that the embedded PostgreSQL archives its log in, for a restore to a point in time. "
            "Costs a file a minute; see docs/backup.md."
        ),
    ] = ""
    backup_key_file: Annotated[
        str, Meta(description="File with the key that backups are encrypted with. `pronoia backup key FILE` makes one.")
    ] = ""
    database_pooler: Annotated[
        bool,
        Meta(description="The URL leads to a transaction pooler: no prepared statements; settings by transaction."),
    ] = False
    database_direct_url: Annotated[
        str,
        Meta(description="The way past a transaction pooler, for LISTEN and migrations. Needed with one, else not."),
    ] = ""
    database_require_tls: Annotated[
        bool, Meta(description="Refuse a database URL over a network without sslmode=verify-full.")
    ] = False
    database_connections: Annotated[int, Meta(ge=2, le=200, description="Connections a process holds at most.")] = 10
    database_timeout_seconds: Annotated[
        float, Meta(gt=0, le=300, description="Longest wait for a connection or a statement.")
    ] = 10.0
    access_retention_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="Days that single uses are kept, which predictions and patterns learn from; 0 for ever.",
        ),
    ] = 365
    metric_retention_days: Annotated[
        int, Meta(ge=0, le=36_500, description="Days that daily sums and metrics of learning are kept; 0 for ever.")
    ] = 365
    removal_retention_days: Annotated[
        int,
        Meta(ge=0, le=36_500, description="Days that it is known of a deleted memory that there was one; 0 for ever."),
    ] = 90
    idempotency_hours: Annotated[
        int, Meta(ge=1, le=8_760, description="Hours that a write is answered again by its Idempotency-Key.")
    ] = 24
    audit_folder: Annotated[
        str,
        Meta(
            description="Folder of the audit log's signed checkpoints and their key, best on other storage than the "
            "database's. Empty takes `audit` in the data folder; with a database URL, none are signed."
        ),
    ] = ""
    master_key_file: Annotated[
        str,
        Meta(
            description="Encrypts texts in the database: file of 32 bytes in base64, readable by its owner alone. "
            "Several with `:` between: the first wraps the keys of organisations, all unwrap them."
        ),
    ] = ""
    master_key_command: Annotated[
        str, Meta(description="Command that prints such keys, one a line, instead of files; it has 10 seconds.")
    ] = ""
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on.")] = 8080
    tls_certificate: Annotated[
        str, Meta(description="PEM file of the server's certificate and its chain: serves HTTPS, TLS 1.2 and up.")
    ] = ""
    tls_key: Annotated[
        str, Meta(description="PEM file of its key. Both files may be renewed while the server runs.")
    ] = ""
    workers: Annotated[int, Meta(ge=1, le=64, description="Server processes.")] = 1
    working_set_bytes: Annotated[
        int, Meta(ge=1 << 20, description="Memory for working sets in each process; the coldest users leave first.")
    ] = 1 << 30
    resident_limit: Annotated[
        int, Meta(ge=0, description="Memories of a user above which SQL finds the candidates instead.")
    ] = 50_000
    cache_tiers: Annotated[
        int,
        Meta(ge=0, le=3, description="Cache tiers in use: 1 in the process, 2 also shared, 3 also kept; 0 for none."),
    ] = 3
    cache_bytes: Annotated[
        int, Meta(ge=1 << 20, description="Memory for cached answers in each process; the least used leave first.")
    ] = 64 << 20
    cache_url: Annotated[
        str,
        Meta(description="Redis or Valkey to share answers and limits in: redis://host. Empty takes PostgreSQL."),
    ] = ""
    maximum_text_length: Annotated[int, Meta(ge=1, le=1_000_000, description="Longest text of a memory.")] = 10_000
    maximum_body_bytes: Annotated[int, Meta(ge=1024, description="Largest request body.")] = 1 << 20
    request_timeout_seconds: Annotated[
        float, Meta(gt=0, le=600, description="Longest time a request may take, receiving included.")
    ] = 30.0
    database_queue: Annotated[
        int, Meta(ge=1, le=10_000, description="Callers of a process that may wait for a database connection.")
    ] = 200
    database_breaker_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="Longest time a database that keeps failing is not asked.")
    ] = 30.0
    embedding_breaker_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="The same for the embedding endpoint.")
    ] = 60.0
    external_breaker_seconds: Annotated[
        float, Meta(gt=0, le=3600, description="The same for each receiver of alerts and each identity provider.")
    ] = 120.0
    degradation_high_load_threshold: Annotated[
        float,
        Meta(gt=0, le=3, description="Saturation from which suggestions and patterns are switched off; from 2, never."),
    ] = 0.80
    degradation_critical_load_threshold: Annotated[
        float, Meta(gt=0, le=3, description="Saturation from which maintenance and metrics reports are too.")
    ] = 0.95
    memory_limit_bytes: Annotated[
        int, Meta(ge=0, description="Memory a process may hold before it counts as full; 0 takes the machine's.")
    ] = 0
    maximum_concurrency: Annotated[
        int, Meta(ge=20, le=100_000, description="Requests worked on side by side at most; the limit adapts below.")
    ] = 1_000
    shutdown_seconds: Annotated[float, Meta(gt=0, le=300, description="Longest wait for open requests at a stop.")] = (
        8.0
    )
    trusted_proxies: Annotated[
        str,
        Meta(description="Comma list of networks, as 10.0.0.0/8, whose X-Forwarded-For says where a request is from."),
    ] = ""
    rate_limit_enabled: Annotated[bool, Meta(description="Limit requests. See docs/operations.md.")] = True
    global_rate_limit: Annotated[
        int, Meta(ge=0, description="Requests a minute with a key, of everybody together; 0 sets no limit.")
    ] = 0
    organisation_rate_limit: Annotated[
        int, Meta(ge=0, description="Requests a minute of an organisation's free keys; other plans have more of each.")
    ] = 1_000
    user_rate_limit: Annotated[int, Meta(ge=0, description="Requests a minute of a user, on the free plan.")] = 100
    expensive_rate_limit: Annotated[
        int, Meta(ge=0, description="Predictions, suggestions and maintenance a minute of a user, on the free plan.")
    ] = 20
    learning_rate_limit: Annotated[
        int, Meta(ge=0, description="Analyses and learning metrics a minute of a user, on the free plan.")
    ] = 10
    anonymous_rate_limit: Annotated[
        int, Meta(ge=0, description="Requests a minute without a valid key of an address, or of an IPv6 /64.")
    ] = 20
    burst_limit: Annotated[
        int, Meta(ge=0, description="Requests in ten seconds of a user on the free plan; more cost twice for a minute.")
    ] = 50
    minimum_trust: Annotated[
        Literal["untrusted", "unverified", "trusted"],
        Meta(
            description="What a memory must be trusted to be searched, predicted and suggested, unless a request says."
        ),
    ] = "untrusted"
    cors_origins: Annotated[
        str, Meta(description="Comma list of origins a browser may call from; empty allows none.")
    ] = ""
    identity_providers: Annotated[
        str, Meta(description="TOML file of the identity providers whose users are let in. See docs/security.md.")
    ] = ""
    token_leeway_seconds: Annotated[
        float, Meta(ge=0, le=300, description="How far the clock of an identity provider may be from this machine's.")
    ] = 30.0
    maximum_token_seconds: Annotated[
        float,
        Meta(gt=0, le=31_536_000, description="Longest life of a token: it works until it expires or is revoked here."),
    ] = 86_400.0
    embedding_url: Annotated[
        str, Meta(description="OpenAI-compatible endpoint, up to and with /v1. Empty uses the model in the package.")
    ] = ""
    embedding_model: Annotated[str, Meta(description="Model to ask the endpoint for.")] = ""
    embedding_key: Annotated[str, Meta(description="Bearer token of the endpoint.")] = ""
    embedding_dimensions: Annotated[
        int, Meta(ge=0, le=4000, description="Numbers in a vector of the endpoint's model.")
    ] = 0
    embedding_timeout_seconds: Annotated[float, Meta(gt=0, le=120, description="Longest wait for the endpoint.")] = 5.0
    erasure_ledger: Annotated[
        str,
        Meta(
            description="File for receipts of erasures, apart from the database and its backups. Empty takes "
            "DATA-erasures.jsonl beside the data folder; with a database URL, none. See docs/privacy.md."
        ),
    ] = ""
    time_zone: Annotated[
        str,
        Meta(description="Zone whose days and weeks users live by, such as Europe/Berlin: habits have a time of day."),
    ] = "UTC"
    learning_schedule: Annotated[bool, Meta(description="Analyse use and keep metrics in the background.")] = True
    learning_auto_apply: Annotated[
        bool,
        Meta(description="Let the background write relationships it suggests and merge duplicates, undoably."),
    ] = False
    alert_seconds: Annotated[
        float, Meta(ge=1, le=300, description="Pause between two looks at the objectives and rules that alert.")
    ] = 15.0
    alertmanager_url: Annotated[
        str, Meta(description="Alertmanager to send alerts to, without the path: http://alertmanager:9093.")
    ] = ""
    pagerduty_routing_key: Annotated[
        str, Meta(description="Integration key of a PagerDuty service to send alerts to (Events API v2).")
    ] = ""
    pagerduty_url: Annotated[str, Meta(description="Where PagerDuty takes events; another for its EU region.")] = (
        "https://events.pagerduty.com/v2/enqueue"
    )
    slack_webhook_url: Annotated[str, Meta(description="Incoming webhook of Slack to send alerts to.")] = ""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least that is worth a line of the log.")
    ] = "info"
    log_format: Annotated[
        Literal["json", "console"], Meta(description="How a line of the log looks: for programs or for people.")
    ] = "json"
    metrics_public: Annotated[
        bool,
        Meta(description="Show /metrics to every address; else to private networks, and elsewhere to admin keys only."),
    ] = False
    metrics_folder: Annotated[
        str,
        Meta(description="Folder where the workers of one server count together. `serve` makes one for several."),
    ] = ""
    traces_url: Annotated[
        str,
        Meta(
            description="Where to send traces by OTLP/HTTP, such as http://collector:4318/v1/traces. Needs the extra "
            "`tracing`. Empty takes OTEL_EXPORTER_OTLP_ENDPOINT, and without that sends none."
        ),
    ] = ""


def read_settings(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read the environment; an override that is not None wins. Raises ConfigurationError naming the variable."""
    source = os.environ if environment is None else environment
    values: dict[str, object] = {
        name: source[PREFIX + name.upper()] for name in Settings.__struct_fields__ if PREFIX + name.upper() in source
    }
    if not values.get("traces_url") and OTLP_ENDPOINT in source:
        values["traces_url"] = f"{source[OTLP_ENDPOINT].rstrip('/')}/v1/traces"
    values.update({name: value for name, value in overrides.items() if value is not None})
    try:
        settings = _with_ledger(msgspec.convert(values, Settings, strict=False))
        zone_of(settings.time_zone)
        networks_of(settings.trusted_proxies)
        _check_pooler(settings)
        _check_database_tls(settings)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"A setting is wrong: {error}. See docs/configuration.md.") from error
    return settings


def _with_ledger(settings: Settings) -> Settings:
    """Put the ledger beside the data folder, unless it has a place or the database is elsewhere."""
    if settings.erasure_ledger or settings.database_url:
        return settings
    return msgspec.structs.replace(settings, erasure_ledger=f"{Path(settings.data).absolute()}-erasures.jsonl")


def _check_pooler(settings: Settings) -> None:
    """Refuse a pooler with no way past it: through it LISTEN hears nothing, and what others write stays unknown."""
    if settings.database_pooler and not settings.database_direct_url:
        raise ConfigurationError(
            f"{PREFIX}DATABASE_DIRECT_URL: a server behind a transaction pooler also needs the way past it. "
            "See docs/database.md."
        )


def _check_database_tls(settings: Settings) -> None:
    """Refuse a way to the database on which somebody could listen or pretend to be it. Unix sockets are fine."""
    for name in ("database_url", "database_direct_url"):
        url = urlsplit(str(getattr(settings, name)))
        query = dict(parse_qsl(url.query))
        hosts = query.get("host", url.hostname or "").split(",")
        local = all(not host or host.startswith("/") for host in hosts)
        authority = query.get("sslrootcert")
        if authority and not Path(authority).is_file():
            raise ConfigurationError(f"{PREFIX}{name.upper()}: there is no file {authority}, which sslrootcert names.")
        if settings.database_require_tls and not local and query.get("sslmode") != "verify-full":
            raise ConfigurationError(
                f"{PREFIX}{name.upper()}: {PREFIX}DATABASE_REQUIRE_TLS is set, so it has to end in "
                "?sslmode=verify-full&sslrootcert=CA.pem. See docs/security.md."
            )


def zone_of(name: str) -> tzinfo:
    """Find a time zone. Raises ConfigurationError for one that this system does not know."""
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"{PREFIX}TIME_ZONE: {name!r} is not known here. Use a name of the IANA database, such as Europe/Berlin."
        ) from error


def networks_of(names: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read a comma list of networks or addresses. Raises ConfigurationError."""
    try:
        return tuple(ip_network(name.strip(), strict=False) for name in names.split(",") if name.strip())
    except ValueError as error:
        raise ConfigurationError(
            f"{PREFIX}TRUSTED_PROXIES: {error}. Use networks such as 10.0.0.0/8, with commas between."
        ) from error


def to_environment(settings: Settings) -> dict[str, str]:
    """Write settings as the variables that a child process reads them from."""
    return {PREFIX + name.upper(): str(getattr(settings, name)) for name in Settings.__struct_fields__}
