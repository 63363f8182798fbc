"""TLS of the server itself, with a certificate that may be renewed while it serves."""

from __future__ import annotations

import ssl
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Self

import structlog

from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_SECONDS = 1.0
"""Files are looked at no more often than that, whatever number of connections are opened."""

log = structlog.get_logger(__name__)


class CertificateContext(ssl.SSLContext):
    """TLS 1.2 and up. A connection that is opened after the files were renewed gets the new certificate.

    Files that cannot be read, or do not fit each other, change nothing: they may be half renewed. Open connections keep
    the certificate that they began with.
    """

    def __new__(cls, certificate: Path, key: Path, now: Callable[[], float] = monotonic) -> Self:  # noqa: ARG004 - the initialiser's
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, certificate: Path, key: Path, now: Callable[[], float] = monotonic) -> None:
        self.minimum_version = ssl.TLSVersion.TLSv1_2
        self._certificate = certificate
        self._key = key
        self._now = now
        self._state = self._look()
        self._looked_at = now()
        try:
            self.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"The TLS certificate {certificate} and key {key} cannot be used: {error}"
            ) from error

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a connection."""
        if self._now() - self._looked_at >= LOOK_SECONDS:
            self._renew()
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def _renew(self) -> None:
        self._looked_at = self._now()
        state = self._look()
        if state == self._state:
            return
        try:
            # Into another context first: a certificate without its key would be half taken over.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._certificate, self._key)
            self.load_cert_chain(self._certificate, self._key)
        except (OSError, ssl.SSLError) as error:
            log.warning("tls.not_renewed", reason=str(error))
            return
        self._state = state
        log.info("tls.renewed")

    def _look(self) -> list[tuple[int, int] | None]:
        """Tell by size and time of change whether the files are the same."""
        return [_state(self._certificate), _state(self._key)]


def _state(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def certificate_context(certificate: str, key: str, *_: object) -> ssl.SSLContext:
    """Make the context as uvicorn asks for it, in each worker process."""
    return CertificateContext(Path(certificate), Path(key))
