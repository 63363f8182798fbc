"""The only place where errors of the driver and of PostgreSQL become ours."""

from __future__ import annotations

import math
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg

from pronoia.domain.errors import (
    ConfigurationError,
    InvalidInputError,
    NotFoundError,
    PronoiaError,
    StoreCircuitOpenError,
    StoreOverloadedError,
    StoreUnavailableError,
)
from pronoia.resilience.breaker import CircuitOpenError, Outcome
from pronoia.resilience.bulkhead import BulkheadFullError
from pronoia.resilience.deadline import is_out_of_time

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

RETRY_AFTER_SECONDS = 1
NO_TLS = "rejected SSL upgrade"
"""What the driver says of a server that was asked for TLS and has none."""


class KeyInUseError(PronoiaError):
    """Another request with this idempotency key came first, and has ended by now. Never leaves this adapter."""


@contextmanager
def translated_errors() -> Generator[None]:
    """Turn what the driver, the breaker and the bulkhead raise into errors of the domain, keeping the cause."""
    try:
        yield
    except CircuitOpenError as error:
        raise StoreCircuitOpenError(
            "The database failed repeatedly and is not asked now.", retry_after=max(math.ceil(error.retry_after), 1)
        ) from error
    except BulkheadFullError as error:
        raise StoreOverloadedError(
            "Too many wait for the database. Try again.", retry_after=RETRY_AFTER_SECONDS
        ) from error
    except asyncpg.PostgresError as error:
        raise _translated(error) from error
    except asyncpg.ClientConfigurationError as error:
        raise ConfigurationError(f"The URL of the database is wrong: {error}.") from error
    except asyncpg.InterfaceError as error:
        if isinstance(error, ValueError):
            raise InvalidInputError(f"The database cannot store this value: {error}.") from error
        # The connection closed under a statement, or the pool is closing.
        raise _unavailable(f"The database does not answer: {error}.") from error
    except (OSError, asyncpg.InternalClientError) as error:
        # OSError includes TimeoutError. The driver is confused when a connection is closed between two statements.
        raise _unreachable(error) from error


def judge(error: BaseException, *, patient: bool) -> Outcome:
    """Say what an error of the driver tells about the database. `patient`: it was given its fair time to answer."""
    match error:
        case asyncpg.PostgresError():
            state = str(getattr(error, "sqlstate", None) or "")
            return Outcome.FAILURE if state in FAULTS or state[:2] in FAULTS else Outcome.SUCCESS
        case _ if is_out_of_time(error):
            return Outcome.FAILURE if patient else Outcome.IGNORED
        case asyncpg.InterfaceError() if not isinstance(error, ValueError):
            return Outcome.FAILURE
        case OSError() | asyncpg.InternalClientError():
            return Outcome.FAILURE
        case _:
            return Outcome.IGNORED


def _translated(error: asyncpg.PostgresError) -> PronoiaError:
    state = str(getattr(error, "sqlstate", None) or "")
    translate = _TRANSLATIONS.get(state) or _TRANSLATIONS.get(state[:2])
    return PronoiaError(f"The database failed: {error}.", sqlstate=state) if translate is None else translate(error)


def _unreachable(error: Exception) -> PronoiaError:
    match error:
        case ssl.SSLCertVerificationError():
            return ConfigurationError(
                f"The database's certificate is not believed: {error.verify_message.rstrip('.')}. In its URL, "
                "sslrootcert must be the CA that signed it, and the host one that it names."
            )
        case ConnectionError() if NO_TLS in str(error):
            return ConfigurationError(
                "The database speaks no TLS, which its URL demands. Set ssl = on in postgresql.conf, or "
                "client_tls_sslmode of PgBouncer."
            )
        case _:
            return _unavailable(f"The database does not answer: {str(error) or type(error).__name__}.")


def _unavailable_now(error: Exception) -> PronoiaError:
    return _unavailable(f"The database cannot do this now: {error}.")


def _refused(error: Exception) -> PronoiaError:
    return ConfigurationError(f"The database refuses us: {error}. Check the user, password and name in its URL.")


def _protocol_broken(error: Exception) -> PronoiaError:
    if "startup parameter" not in str(error):
        return _unavailable_now(error)
    return ConfigurationError(
        f"A pooler stands before the database: {error}. Set PRONOIA_DATABASE_POOLER=true, and "
        "PRONOIA_DATABASE_DIRECT_URL to the way past it."
    )


def _unprepared(error: Exception) -> PronoiaError:
    return ConfigurationError(f"The database is not prepared: {error}. Run `pronoia migrate`.")


def _unstorable(error: Exception) -> PronoiaError:
    return InvalidInputError(f"The database cannot store this value: {error}.")


def _orphaned(_: Exception) -> PronoiaError:
    return NotFoundError("The organisation or memory that this belongs to does not exist.")


def _in_use(_: Exception) -> PronoiaError:
    return KeyInUseError("Another request with this key came first.")


def _unavailable(message: str) -> StoreUnavailableError:
    return StoreUnavailableError(message, retry_after=RETRY_AFTER_SECONDS)


FAULTS = frozenset({"08", "53200", "53300", "57014", "57P01", "57P02", "57P03", "58"})
"""States in which the database itself is at fault: lost, out of memory or connections, out of time, shut down, broken.

A full disk (53100) or a server that only reads (25006) is not among them: it still answers what is read.
"""

_TRANSLATIONS: Mapping[str, Callable[[Exception], PronoiaError]] = {
    "08": _unavailable_now,  # connection
    "08P01": _protocol_broken,  # also what PgBouncer says of settings that it does not know
    "22": _unstorable,  # a character, number or text that its type cannot hold
    "23503": _orphaned,  # foreign key
    "25": _unavailable_now,  # transaction state: a replica that takes no writes, a transaction that idled too long
    "28": _refused,  # user and password
    "3D": _refused,  # no such database
    "40": _unavailable_now,  # rolled back: deadlock, serialization
    "42501": _unprepared,  # a right is missing
    "42703": _unprepared,  # a column is missing
    "42704": _unprepared,  # a type or role is missing
    "42883": _unprepared,  # a function is missing
    "42P01": _unprepared,  # a table is missing
    "53": _unavailable_now,  # resources: disk, memory, connections
    "55": _unavailable_now,  # a lock that was not to be had
    "57": _unavailable_now,  # cancelled by a time limit, shut down, crashed, starting up
    "58": _unavailable_now,  # the system beneath
    "PRM01": _in_use,  # raised by our own functions
}
"""What a SQLSTATE, or the class that its first two characters name, means to us."""
