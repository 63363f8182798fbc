"""Why a token proves nothing: for the log and the metrics, never for whoever sent it."""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    FORM = "form"
    HEADER = "header"
    ISSUER = "issuer"
    CLAIMS = "claims"
    AUDIENCE = "audience"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    LIFETIME = "lifetime"
    KEY = "key"
    ALGORITHM = "algorithm"
    SIGNATURE = "signature"
    USER = "user"
    ROLE = "role"
    REVOKED = "revoked"


class TokenRefusedError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal
