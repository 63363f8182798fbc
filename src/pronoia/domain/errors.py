"""What can go wrong, each error with its facts and a remedy. No HTTP here: each face has its own table."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class PronoiaError(Exception):
    """Base of everything the server raises on purpose.

    `code` is the stable word for machines, `message` the sentence for people, `details` the facts.
    """

    code: ClassVar[str] = "INTERNAL_SERVER_ERROR"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, object] = details


class InvalidInputError(PronoiaError):
    """A value that the caller can correct. `details` names the `field` and, where there is one, its `limit`."""

    code = "VALIDATION_ERROR"


class MissingFieldError(InvalidInputError):
    code = "MISSING_REQUIRED_FIELD"


class TextLengthError(InvalidInputError):
    code = "INVALID_TEXT_LENGTH"


class NotFoundError(PronoiaError):
    """Unknown, or not the caller's: the two are indistinguishable on purpose."""

    code = "RESOURCE_NOT_FOUND"


class MissingCredentialError(PronoiaError):
    code = "MISSING_API_KEY"


class InvalidCredentialError(PronoiaError):
    code = "INVALID_API_KEY"


class InvalidTokenError(InvalidCredentialError):
    """A token of an identity provider that proves nothing. Why, is for the log: it would help whoever forges one."""

    code = "INVALID_TOKEN"


class ForbiddenError(PronoiaError):
    code = "FORBIDDEN"


class IdempotencyConflictError(PronoiaError):
    """The same Idempotency-Key came with another request."""

    code = "IDEMPOTENCY_CONFLICT"


class AlreadyExistsError(PronoiaError):
    """There is one by this name already. `details` names the `field`."""

    code = "ALREADY_EXISTS"


class RateLimitedError(PronoiaError):
    """A budget is spent. `details` holds `limiter`, `limit`, `remaining` and `retryAfter` in whole seconds."""

    code = "RATE_LIMIT_EXCEEDED"


class PayloadTooLargeError(PronoiaError):
    code = "PAYLOAD_TOO_LARGE"


class UnavailableError(PronoiaError):
    """A part the request needs does not answer now. `details` may hold `retry_after` in seconds."""

    code = "SERVICE_UNAVAILABLE"


class OverloadedError(UnavailableError):
    """There is more to do than can be done; nothing was begun."""

    code = "OVERLOADED"


class FeatureDegradedError(UnavailableError):
    """Switched off until the server has less to do. `details` names the `feature`."""

    code = "FEATURE_DEGRADED"


class StoreUnavailableError(UnavailableError):
    code = "DATABASE_CONNECTION_FAILED"


class StoreOverloadedError(StoreUnavailableError):
    """Too many wait for the database."""

    code = "OVERLOADED"


class StoreCircuitOpenError(StoreUnavailableError):
    """The database failed repeatedly, and is left alone for a while."""

    code = "CIRCUIT_BREAKER_OPEN"


class EncryptedTextError(UnavailableError):
    """A stored text that only the operator can make readable again. `details` may hold the `id` of its row."""

    code = "TEXT_UNREADABLE"


class EmbeddingUnavailableError(UnavailableError):
    code = "EMBEDDING_UNAVAILABLE"


class IdentityUnavailableError(UnavailableError):
    """The keys of an identity provider cannot be had. `details` holds the `reason`."""

    code = "IDENTITY_UNAVAILABLE"


class ConfigurationError(PronoiaError):
    """The operator has to change a setting; the message says which and how."""

    code = "CONFIGURATION_ERROR"


class AlertNotSentError(PronoiaError):
    """A receiver of alerts was not told. `details` holds the `reason`, never the address: it may be a secret."""

    code = "ALERT_NOT_SENT"


class BackupError(PronoiaError):
    """A backup is not what it was when it was made. `details` names the `part`."""

    code = "BACKUP_DAMAGED"
