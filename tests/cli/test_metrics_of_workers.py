"""Several workers of one server show the same counts, whichever answers, and lose none when one is killed."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx2
import psutil
from test_serving import START_SECONDS, serving, wait_until_it_answers

SERIES = re.compile(r'^http_requests_total\{method="GET",route="/",status_code="200"\} (\S+)$', re.MULTILINE)


def ask(url, path):
    """Ask over a connection of its own, which any worker may take."""
    return httpx2.get(f"{url}{path}", timeout=START_SECONDS)


def shown(url):
    text = ask(url, "/metrics").text
    workers = re.search(r"^workers (\S+)$", text, re.MULTILINE)
    return float(SERIES.search(text)[1]), float(workers[1])


def answering_workers(process):
    return [one for one in psutil.Process(process.pid).children() if "spawn_main" in " ".join(one.cmdline())]


def test_a_hundred_requests_to_two_workers_are_a_hundred_whichever_is_asked_also_after_one_was_killed(data_folder):
    with serving("--data", str(data_folder), "--workers", "2", "--json") as (process, words):
        address = json.loads(words)
        url = f"http://{address['host']}:{address['port']}"
        wait_until_it_answers(url)
        wait_for_workers(url, 2)
        with ThreadPoolExecutor(8) as pool:
            assert Counter(answer.status_code for answer in pool.map(lambda _: ask(url, "/"), range(100))) == {200: 100}
            assert set(pool.map(lambda _: shown(url), range(20))) == {(100, 2)}
        victim, _ = answering_workers(process)
        victim.kill()
        victim.wait(10)
        assert shown(url)[0] == 100
        wait_for_workers(url, 2)
        assert {shown(url) for _ in range(10)} == {(100, 2)}


def wait_for_workers(url, count):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if f"\nworkers {float(count)}\n" in ask(url, "/metrics").text:
            return
    raise AssertionError
