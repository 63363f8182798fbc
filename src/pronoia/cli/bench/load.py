from __future__ import annotations

from contextlib import asynccontextmanager
from ipaddress import ip_address
from random import SystemRandom
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer
import uvloop
from rich.console import Console

from pronoia.benchmark.load.mix import User
from pronoia.benchmark.load.run import Order, Run
from pronoia.benchmark.load.scenarios import ScenarioName
from pronoia.benchmark.load.target import Target, fill, names, scratch_target, settle
from pronoia.cli.bench.plots import Plot, plot_load
from pronoia.cli.bench.scratch import print_tables, progress_bar
from pronoia.cli.exit_codes import ExitCode
from pronoia.cli.options import AsJson, examples
from pronoia.cli.output import print_json, print_note
from pronoia.domain.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from pronoia.benchmark.load.report import LoadReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "load",
        epilog=examples(
            "pronoia bench load                                     # 150 requests a second for five minutes",
            "pronoia bench load --scenario stress --plot stress     # how much is too much?",
            "pronoia bench load --scenario baseline --seconds 10 --users 10 --memories 100",
            "pronoia bench load --url http://127.0.0.1:8080 --key $PRONOIA_KEY",
        ),
    )(measure_load)


def measure_load(
    *,
    scenario: Annotated[ScenarioName, typer.Option("--scenario", help="What to ask.")] = ScenarioName.SUSTAINED,
    users: Annotated[int, typer.Option("--users", min=1, max=10_000, help="Users who ask.")] = 100,
    memories: Annotated[int, typer.Option("--memories", min=1, max=100_000, help="Memories of each.")] = 1_000,
    topics: Annotated[
        int | None,
        typer.Option("--topics", min=1, help="Different things a user asks about.  [default: one for each memory]"),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=1, max=86_400, help="Length of each stage instead of its own.")
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option("--rate", min=1, max=20_000, help="Overload: the rate known to be sustained; else it is found."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", help="A server that runs already.  [default: a temporary one]", show_default=False),
    ] = None,
    key: Annotated[
        str, typer.Option("--key", help="Its service key; users load-0 and so on get the memories.", show_default=False)
    ] = "",
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let --url be another machine. Be sure that it is yours.")
    ] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An environment variable for the temporary server."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the traffic.  [default: any]")] = None,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Send requests at a constant rate, whether or not the server keeps up, and hold it to its promises.

    40 % predict, 30 % suggest, 20 % search, 5 % maintenance, 5 % metrics. A latency counts from when the request was
    due. Without --url, a temporary server runs on a core of its own, if there are two. The exit code is 1 if a promise
    is missed.
    """
    order = Order(
        scenario,
        min(topics or memories, memories),
        SystemRandom().getrandbits(32) if seed is None else seed,
        seconds,
        rate,
    )
    address = None if url is None else _address(url, allow_remote=allow_remote)
    if address is not None and not key:
        raise typer.BadParameter("A server of your own needs a service key.", param_hint="--key")
    found = uvloop.run(_measure(order, users, memories, address, key, _settings(setting or [])))
    if plot is not None:
        plot_load(found, plot)
    if as_json:
        print_json(found)
    else:
        print_tables(found.tables())
        print_note("All promises are kept." if found.reached else "A promise is missed.")
    raise typer.Exit(ExitCode.SUCCESS if found.reached else ExitCode.FAILURE)


def _settings(assignments: Sequence[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in assignments]
    if not all(equals for _, equals, _ in pairs):
        raise typer.BadParameter("Write it as NAME=VALUE.", param_hint="--set")
    return {name: value for name, _, value in pairs}


def _address(url: str, *, allow_remote: bool) -> tuple[str, int]:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise typer.BadParameter("It must begin with http://.", param_hint="--url")
    if not allow_remote and not _is_here(parts.hostname):
        raise typer.BadParameter(
            f"{parts.hostname} is not this machine, and a load can bring a server down. --allow-remote allows it.",
            param_hint="--url",
        )
    return parts.hostname, parts.port or 80


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _measure(
    order: Order, users: int, memories: int, address: tuple[str, int] | None, key: str, settings: Mapping[str, str]
) -> LoadReport:
    try:
        async with _target(users, address, key, settings) as target:
            with progress_bar("Storing", len(target.users)) as advance:
                await fill(target, memories, advance)
            console = Console(stderr=True)
            with console.status("Waiting for the work that writes leave behind") as status:
                await settle(target)
                return await Run(order, target, status.update)()
    except (OSError, EOFError) as error:
        raise UnavailableError(f"The server does not answer: {error}.") from error


@asynccontextmanager
async def _target(
    users: int, address: tuple[str, int] | None, key: str, settings: Mapping[str, str]
) -> AsyncGenerator[Target]:
    if address is None:
        async with scratch_target(users, settings) as target:
            yield target
    else:
        yield Target(*address, [User(name, key) for name in names(users)])
