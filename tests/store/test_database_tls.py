"""Towards a database that speaks TLS: only the right server is believed, and whoever is refused is told what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pgbouncer import running_pgbouncer
from pronoia.adapters.postgres.transactions import Database
from pronoia.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from pgbouncer import Way

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Authority:
    """A certificate authority of one's own."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    file: Path

    @classmethod
    def make(cls, folder: Path, name: str) -> Authority:
        made = cls(folder, ec.generate_private_key(ec.SECP256R1()), folder / f"{name}.pem")
        certificate = _certificate(name, made.key.public_key(), name, made.key, x509.BasicConstraints(True, None))
        made.file.write_bytes(certificate)
        return made

    def certify(self, host: str) -> tuple[Path, Path]:
        """Give the certificate of a host, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        files = self.folder / f"{host}.pem", self.folder / f"{host}.key"
        files[0].write_bytes(_certificate(host, key.public_key(), self.file.stem, self.key, names))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files


def _certificate(
    subject: str,
    key: ec.EllipticCurvePublicKey,
    issuer: str,
    issuing: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> bytes:
    named, by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (subject, issuer))
    now, serial = datetime.now(UTC), x509.random_serial_number()
    builder = x509.CertificateBuilder(by, named, key, serial, now - timedelta(1), now + timedelta(1))
    certificate = builder.add_extension(extension, critical=True).sign(issuing, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path, "authority")


@pytest.fixture
def encrypted(database_url: str, authority: Authority) -> Iterator[Way]:
    """Give a way to the database that begins with TLS, and proves to be `localhost`."""
    with running_pgbouncer(database_url, tls=authority.certify("localhost")) as way:
        yield way


def verifying(url: str, authority: Path, host: str = "localhost") -> str:
    return f"{url.replace('127.0.0.1', host)}?sslmode=verify-full&sslrootcert={authority}"


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Database]:
    database = await Database.open(url, connections=2, timeout_seconds=10, pooler=True)
    try:
        yield database
    finally:
        await database.close()


async def test_the_right_server_is_believed(encrypted: Way, authority: Authority) -> None:
    async with opened(verifying(encrypted.url, authority.file)) as database:
        await database.check()


async def test_a_server_of_another_authority_is_not_believed(encrypted: Way, authority: Authority) -> None:
    other = Authority.make(authority.folder, "other")
    with pytest.raises(ConfigurationError, match=r"certificate is not believed: .*sslrootcert"):
        async with opened(verifying(encrypted.url, other.file)):
            pass


async def test_a_server_of_another_name_is_not_believed(encrypted: Way, authority: Authority) -> None:
    with pytest.raises(ConfigurationError, match=r"certificate is not believed: .*127\.0\.0\.1.*host"):
        async with opened(verifying(encrypted.url, authority.file, host="127.0.0.1")):
            pass


async def test_a_server_without_encryption_is_not_spoken_to(database_url: str, authority: Authority) -> None:
    with running_pgbouncer(database_url) as plain:
        with pytest.raises(ConfigurationError, match=r"speaks no TLS.*ssl = on"):
            async with opened(verifying(plain.url, authority.file)):
                pass
        async with opened(plain.url) as database:
            await database.check()


def test_commands_that_require_it_work_with_the_right_server_alone(encrypted: Way, authority: Authority) -> None:
    other = Authority.make(authority.folder, "other")

    def run(url: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "PRONOIA_DATABASE_URL": url,
            "PRONOIA_DATABASE_DIRECT_URL": encrypted.direct_url,
            "PRONOIA_DATABASE_POOLER": "true",
            "PRONOIA_DATABASE_REQUIRE_TLS": "true",
        }
        command = [str(Path(sys.executable).with_name("pronoia")), "organisations", "create", "Ada", "--quiet"]
        return subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)  # noqa: S603 - ours

    assert run(verifying(encrypted.url, authority.file)).returncode == 0
    for url, said in (
        (verifying(encrypted.url, other.file), "The database's certificate is not believed"),
        (verifying(encrypted.url, Path("/nowhere.pem")), "there is no file /nowhere.pem"),
        (encrypted.url, "it has to end in ?sslmode=verify-full"),
        (f"{encrypted.url}?sslmode=require", "it has to end in ?sslmode=verify-full"),
    ):
        refused = run(url)
        assert (refused.returncode, said in refused.stderr) == (3, True), refused.stderr
