"""Raw sockets that abuse HTTP, against the server itself and through NGINX."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx2
import pytest
from fault_server import serving, until
from ledger import Writers, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fault_server import FaultyServer, OwnPostgres

CLOSED_SECONDS = 11.0
"""The deadline of ten seconds, and one for the machine."""
HOST = b"Host: x\r\n"
GOOD = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"
SMUGGLED = b"GET /api/v1/memories/smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
NGINX_CONFIGURATION = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    client_header_timeout 9s; client_body_timeout 9s; keepalive_timeout 5s;
    upstream pronoia {{ server 127.0.0.1:{upstream}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://pronoia; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


@pytest.fixture(scope="module")
def abused(victim: OwnPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyServer]:
    with serving(victim.url, tmp_path_factory.mktemp("abused") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def nginx(abused: FaultyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run NGINX in front, and give its port."""
    folder = tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    file = folder / "nginx.conf"
    file.write_text("user root;" + NGINX_CONFIGURATION.format(folder=folder, upstream=abused.port, port=port))
    process = subprocess.Popen([NGINX, "-c", str(file), "-p", str(folder)], stderr=subprocess.DEVNULL)  # noqa: S603 - ours
    try:
        until(lambda: httpx2.get(f"http://127.0.0.1:{port}/health", timeout=5).is_success, 10)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def statuses(port: int, request: bytes, seconds: float = CLOSED_SECONDS) -> tuple[list[int], float]:
    """Send bytes, read until the other end hangs up, and give the statuses and how long that took."""
    received = b""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(seconds)
        try:
            connection.sendall(request)
            while data := connection.recv(65_536):
                received += data
        except ConnectionError:
            pass
        except TimeoutError:
            pytest.fail(f"still open after {seconds} s, having said {received[:200]!r}")
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", received)], time.monotonic() - started


SLOW = {
    "nothing": b"",
    "half a head": b"POST /api/v1/memories HTTP/1.1\r\nHos",
    "half a head after a request": GOOD + b"GET /hea",
    "half a body": b"POST /api/v1/memories HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n{",
    "half a chunk": b"POST /api/v1/memories HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{",
}
WRONG = {
    "length and chunks": b"POST /health HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\n" + SMUGGLED,
    "two lengths": b"POST /health HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\nContent-Length: 99\r\n\r\n" + SMUGGLED,
    "a negative length": b"POST /health HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n" + SMUGGLED,
    "an unknown encoding": b"POST /health HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n" + SMUGGLED,
    "a bad chunk": b"POST /health HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n" + SMUGGLED,
    "HTTP/2 without a word": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a head of a megabyte": b"GET /health HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 1_000_000 + b"\r\n\r\n",
}


def all_at_once(port: int, abuses: dict[str, bytes]) -> dict[str, tuple[list[int], float]]:
    with ThreadPoolExecutor(len(abuses)) as pool:
        return dict(zip(abuses, pool.map(lambda request: statuses(port, request), abuses.values()), strict=True))


@pytest.mark.parametrize("way", ["direct", "through NGINX"])
def test_what_is_slow_or_wrong_is_closed_and_nothing_is_smuggled(
    abused: FaultyServer, nginx: int, victim: OwnPostgres, seed: int, way: str
) -> None:
    """Beside it, others are served as if nothing were wrong."""
    port = abused.port if way == "direct" else nginx
    with Writers([f"http://127.0.0.1:{port}"], [victim.key()], seed) as writers:
        ended = all_at_once(port, {**SLOW, **WRONG} if way == "direct" else WRONG)
    check(f"http://127.0.0.1:{port}", writers, victim)
    assert writers.attempts_that_failed == 0
    for name in WRONG:
        found = ended[name][0]
        assert all(400 <= status < 600 for status in found), (name, found)
        assert len(found) <= 1, (name, found)
    if way == "direct":
        assert [ended[name][0] for name in SLOW] == [[408], [408], [200], [408], [408]]
    writers.report(f"20 protocol abused, {way}", len(ended))


@pytest.mark.parametrize("way", ["direct", "through NGINX"])
def test_headers_do_not_change_what_is_asked_for(abused: FaultyServer, nginx: int, way: str) -> None:
    port = abused.port if way == "direct" else nginx
    end = b"Connection: close\r\n\r\n"
    line = b"GET /api/v1/memories HTTP/1.1\r\n"
    assert statuses(port, line + b"Host: x/health?\r\n" + end)[0] in ([400], [401])
    pretending = b"X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /health\r\nX-Rewrite-URL: /health\r\n"
    assert statuses(port, line + HOST + pretending + end)[0] == [401]
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    assert statuses(port, b"GET /health HTTP/1.1\r\n" + HOST + upgrade)[0] == [200]
    assert statuses(port, GOOD * 4 + b"GET /health HTTP/1.1\r\n" + HOST + end)[0] == [200] * 5
