from __future__ import annotations

import ast
import io
import logging
import threading
from pathlib import Path

import msgspec
import pytest
import structlog

import pronoia
from pronoia.adapters.telemetry.lines import MOST_WAITING, LineWriter
from pronoia.adapters.telemetry.logs import FIELDS, LONGEST_VALUE, configure_logs
from pronoia.testing.meter import RecordingMeter, series

CANARY = "the-canary-sings"
LEVELS = ("debug", "info", "warning", "error", "exception")


@pytest.fixture
def meter():
    return RecordingMeter()


@pytest.fixture
def logged(meter):
    """Log, and give the lines."""
    handlers, level = logging.root.handlers, logging.root.level

    def log(write, *, as_json=True, level="info"):
        stream = io.BytesIO()
        writer = configure_logs(level=level, as_json=as_json, meter=meter, stream=stream)
        write(structlog.get_logger("test"))
        writer.close()
        return stream.getvalue().decode().splitlines()

    yield log
    structlog.reset_defaults()
    logging.root.handlers = handlers
    logging.root.setLevel(level)


def test_a_line_is_json_of_known_fields_alone(logged, meter):
    (line,) = logged(lambda log: log.info("happened", request_id="r", text=CANARY, key=CANARY, duration_ms=1.5))
    event = msgspec.json.decode(line)
    assert set(event) == {"timestamp", "level", "message", "request_id", "duration_ms"}
    assert (event["level"], event["message"], event["duration_ms"]) == ("info", "happened", 1.5)
    assert event["timestamp"].endswith("Z")
    assert meter.counts[series("log_lines_total", level="info")] == 1


@pytest.mark.parametrize("as_json", [True, False])
def test_no_value_breaks_the_line_or_fills_the_disk(logged, as_json):
    evil = "a\nb\r\x1b[31m" + "x" * 100_000
    (line,) = logged(lambda log: log.info("happened", reason=evil), as_json=as_json)
    assert len(line) < 2 * LONGEST_VALUE
    assert "\x1b" not in line


def test_an_exception_is_told_by_type_and_place_without_its_message(logged):
    def fail(log):
        try:
            {}[CANARY]
        except KeyError:
            log.exception("failed")

    (line,) = logged(fail)
    event = msgspec.json.decode(line)
    assert event["error"] == "KeyError"
    assert event["stack"].startswith("test_logs.py:")
    assert CANARY not in line


def test_what_libraries_log_is_cut_to_its_first_line(logged):
    def fail(_):
        try:
            int(CANARY)
        except ValueError:
            logging.getLogger("asyncio").exception("Task exception was never retrieved\nfuture: %s", CANARY)
        logging.getLogger("asyncio").info("not worth a line")
        logging.getLogger("uvicorn.error").info("Started server process")

    failed, started = map(msgspec.json.decode, logged(fail))
    assert (failed["message"], failed["logger"]) == ("Task exception was never retrieved", "asyncio")
    assert failed["error"] == "ValueError"
    assert CANARY not in str(failed)
    assert started["message"] == "Started server process"


def test_what_is_below_the_level_is_not_logged(logged):
    assert logged(lambda log: log.info("quiet"), level="warning") == []


class Stuck(io.RawIOBase):
    """A pipe that nobody reads."""

    def __init__(self):
        self.reached, self.read = threading.Event(), threading.Event()

    def write(self, _):
        self.reached.set()
        self.read.wait(30)


def test_a_reader_who_stopped_holds_up_nobody(meter):
    stream = Stuck()
    writer = LineWriter(stream, meter)
    writer.write(b"line\n")
    assert stream.reached.wait(10)
    for _ in range(MOST_WAITING + 5):
        writer.write(b"line\n")
    assert meter.counts[series("log_lines_dropped_total")] == 5
    stream.read.set()


def test_no_line_of_ours_names_a_field_that_would_be_left_out():
    left_out = {}
    for path in Path(pronoia.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in {f"log.{level}" for level in LEVELS}:
                named = {one.arg for one in call.keywords if one.arg is not None} - {"exc_info"}
                if not named <= FIELDS:
                    left_out[f"{path.name}:{call.lineno}"] = named - FIELDS
    assert left_out == {}
