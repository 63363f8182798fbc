from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pronoia.adapters.telemetry.aliases import ALIASES
from pronoia.adapters.telemetry.exposition import PrometheusExposition
from pronoia.adapters.telemetry.families import FAMILIES
from pronoia.adapters.telemetry.meter import PrometheusMeter
from pronoia.adapters.telemetry.workers import VARIABLE, WorkersFolder
from pronoia.domain.errors import ConfigurationError


def read(text):
    families = text_string_to_metric_families(text.decode())
    return {(sample.name, frozenset(sample.labels.items())): sample.value for one in families for sample in one.samples}


def value(text, name, **labels):
    return read(text).get((name, frozenset(labels.items())))


def test_one_count_is_shown_under_every_name_that_it_has():
    meter = PrometheusMeter()
    labels = {"method": "GET", "route": "/", "status_code": "200"}
    meter.count("http_requests_total", 3, **labels)
    text = PrometheusExposition(meter).render()
    for name in ("http_requests_total", "recallbricks_http_requests_total", "requests_total"):
        assert value(text, name, **labels) == 3


def test_the_order_in_which_labels_are_named_does_not_matter():
    meter = PrometheusMeter()
    meter.count("working_set_loads_total", kind="whole")
    meter.count("http_request_errors_total", method="GET", route="/", error_code="X")
    meter.count("http_request_errors_total", error_code="X", route="/", method="GET")
    text = PrometheusExposition(meter).render()
    assert value(text, "http_request_errors_total", method="GET", route="/", error_code="X") == 2


@pytest.mark.parametrize("labels", [{}, {"unknown": "x"}, {"method": "GET"}])
def test_wrong_labels_raise(labels):
    with pytest.raises(ValueError, match="label"):
        PrometheusMeter().count("http_requests_total", **labels)


def test_what_follows_from_counts_is_shown():
    meter = PrometheusMeter()
    labels = {"method": "GET", "route": "/", "status_code": "200"}
    meter.observe("http_request_duration_seconds", 0.010, **labels)
    meter.observe("http_request_duration_seconds", 0.030, **labels)
    meter.count("answers_judged_total", 4, kind="prediction")
    meter.count("answers_used_total", 3, kind="prediction")
    meter.count("answers_judged_total", 4, kind="search")
    text = PrometheusExposition(meter).render()
    assert value(text, "avg_response_time_ms") == pytest.approx(20.0)
    assert value(text, "prediction_accuracy") == 0.75


def test_no_name_is_given_twice():
    names = [family.name for family in FAMILIES] + [alias.name for alias in ALIASES]
    assert len(set(names)) == len(names)


def test_a_folder_that_the_client_library_does_not_know_is_refused(tmp_path):
    with pytest.raises(ConfigurationError):
        WorkersFolder(tmp_path)


COUNTING = """
import sys
from pathlib import Path
from pronoia.adapters.telemetry.exposition import PrometheusExposition
from pronoia.adapters.telemetry.meter import PrometheusMeter
from pronoia.adapters.telemetry.workers import WorkersFolder

meter = PrometheusMeter(WorkersFolder(Path(sys.argv[1])))
meter.count("memories_created_total", 5)
meter.observe("search_duration_seconds", 0.02)
meter.set("working_set_users", 7)
meter.set("users_total", 3)
print("counted", flush=True)
for _ in sys.stdin:
    text = PrometheusExposition(meter).render().decode()
    print(text + "# EOF", flush=True)
"""


class Worker:
    def __init__(self, folder):
        self.process = subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", COUNTING, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, VARIABLE: str(folder)},
        )
        assert self.process.stdout.readline() == "counted\n"

    def shown(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        lines = iter(self.process.stdout.readline, "# EOF\n")
        return "".join(lines).encode()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


def counts(text):
    names = ("memories_created_total", "search_duration_seconds_count", "working_set_users", "users_total")
    return tuple(value(text, name) for name in names)


def test_every_worker_shows_the_counts_of_all_also_of_those_that_were_killed(tmp_path):
    one, other = Worker(tmp_path), Worker(tmp_path)
    try:
        assert counts(one.shown()) == counts(other.shown()) == (10, 2, 14, 3)
        one.kill()
        assert counts(other.shown()) == (10, 2, 7, 3)
        third = Worker(tmp_path)
        try:
            assert counts(third.shown()) == counts(other.shown()) == (15, 3, 14, 3)
        finally:
            third.kill()
    finally:
        one.kill()
        other.kill()


def test_dead_workers_leave_no_more_files_however_many_there_were(tmp_path):
    for _ in range(2):
        Worker(tmp_path).kill()
    last = Worker(tmp_path)
    try:
        assert counts(last.shown()) == (15, 3, 7, 3)
        files = len(list(tmp_path.iterdir()))
        Worker(tmp_path).kill()
        assert counts(last.shown()) == (20, 4, 7, 3)
        assert len(list(tmp_path.iterdir())) == files
    finally:
        last.kill()
