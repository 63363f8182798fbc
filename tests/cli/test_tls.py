"""HTTPS by the server itself."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pronoia.faces.http.tls import LOOK_SECONDS, CertificateContext
from pronoia.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

PRONOIA = str(Path(sys.executable).with_name("pronoia"))


@dataclass(frozen=True)
class Files:
    certificate: Path
    key: Path

    def renew(self, serial: int) -> None:
        """Write a new key and a certificate of it for this machine."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.now(UTC)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), serial, now - timedelta(1), now + timedelta(1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path / "server.pem", tmp_path / "server.key")
    files.renew(1)
    return files


def shake_hands(server: CertificateContext) -> int:
    """Open a connection in memory, and give the serial number that the server showed."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    for end in (*ends, *ends):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return x509.load_der_x509_certificate(ends[0].getpeercert(binary_form=True)).serial_number


def test_a_renewed_certificate_is_shown_to_the_next_connection(files: Files) -> None:
    clock = ManualClock()
    context = CertificateContext(files.certificate, files.key, clock.monotonic)
    assert shake_hands(context) == 1
    files.renew(2)
    assert shake_hands(context) == 1
    clock.advance(LOOK_SECONDS)
    assert shake_hands(context) == 2


@pytest.mark.parametrize("harm", ["cut", "gone", "of another key"])
def test_a_certificate_that_cannot_be_used_changes_nothing_until_it_can(files: Files, harm: str) -> None:
    clock = ManualClock()
    context = CertificateContext(files.certificate, files.key, clock.monotonic)
    whole = files.key.read_bytes(), files.certificate.read_bytes()
    files.renew(2)
    if harm == "cut":
        files.certificate.write_bytes(whole[1][:100])
    elif harm == "gone":
        files.key.unlink()
    else:
        files.key.write_bytes(whole[0])
    clock.advance(LOOK_SECONDS)
    assert shake_hands(context) == 1
    files.renew(3)
    clock.advance(LOOK_SECONDS)
    assert shake_hands(context) == 3


@contextmanager
def serving(database_url: str, *arguments: str) -> Iterator[int]:
    command = [PRONOIA, "serve", "--port", "0", "--json", "--database-url", database_url, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: S603 - ours
    try:
        lines = iter(process.stdout.readline, "}\n")
        yield json.loads("".join(lines) + "}")["port"]
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_the_server_speaks_tls_1_2_and_up_and_nothing_else(database_url: str, files: Files) -> None:
    certificate, key = str(files.certificate), str(files.key)
    with serving(database_url, "--tls-cert", certificate, "--tls-key", key) as port:
        trusting = ssl.create_default_context(cafile=certificate)
        with httpx2.Client(transport=httpx2.HTTPTransport(verify=trusting, retries=10), timeout=30) as http:
            answer = http.get(f"https://127.0.0.1:{port}/health")
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with (
            socket.create_connection(("127.0.0.1", port), 10) as plain,
            pytest.raises(ssl.SSLError, match=r"(?i)version|protocol"),
        ):
            old.wrap_socket(plain)


@pytest.mark.parametrize(
    ("given", "said"), [(["--tls-key"], "needs both"), (["--tls-key", "--tls-cert"], "cannot be used")]
)
def test_files_that_cannot_be_used_end_the_start(tmp_path: Path, given: list[str], said: str) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    arguments = [part for option in given for part in (option, str(tmp_path / "no.pem"))]
    command = [PRONOIA, "serve", "--data", str(tmp_path / "data"), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - ours
    assert ended.returncode == 3
    assert said in ended.stderr.replace("\n", " ")
