"""The mix of `pronoia bench load` for Locust. Set PRONOIA_KEY to a service key."""

from __future__ import annotations

import os
import random

from locust import HttpUser, constant_throughput, task

WORDS = ("garden", "river", "music", "travel", "kitchen", "project", "deadline", "coffee", "mountain", "doctor")
USERS = 100
LEARNING = "/api/v1/learning"
MEMORIES = "/api/v1/memories"


class Application(HttpUser):
    """One user of the application: a request and a half a second, so that a hundred make the sustained load."""

    wait_time = constant_throughput(1.5)

    def on_start(self) -> None:
        """Be somebody."""
        self.client.headers["X-API-Key"] = os.environ["PRONOIA_KEY"]
        self.client.headers["X-User-ID"] = f"load-{random.randrange(USERS)}"  # noqa: S311 - traffic

    @task(40)
    def predict(self) -> None:
        """Ask what is needed next."""
        self.client.post(f"{MEMORIES}/predict", json={"context": topic()})

    @task(30)
    def suggest(self) -> None:
        """Ask what fits. A server with too much to do answers with nothing."""
        with self.client.post(f"{MEMORIES}/suggest", json={"context": topic()}, catch_response=True) as answer:
            if answer.ok and answer.json()["degraded"]:
                answer.failure("degraded")

    @task(20)
    def search(self) -> None:
        """Ask what answers."""
        self.client.post(f"{MEMORIES}/search", json={"query": topic()})

    @task(5)
    def maintenance(self) -> None:
        """Ask what to mend."""
        self.client.get(f"{LEARNING}/maintenance-suggestions")

    @task(5)
    def metrics(self) -> None:
        """Ask how well memory serves."""
        self.client.get(f"{LEARNING}/metrics")


def topic() -> str:
    """Say what a request is about."""
    return " ".join(random.sample(WORDS, 5))
