"""Why actors: one job done in every way that Python offers, and what each way costs.

    python -m benchmarks.concurrency --json
    python -m benchmarks.concurrency --pictures docs/pictures

Two jobs that keep a core busy: the sum of Euler's phi over a range (pure Python, and compiled by numba), and
self-play of CartPole (ours: numba and NumPy in small pieces). Each is done serially, in threads, in threads
that release the interpreter's lock, in processes (fork and spawn), in a pool by size of chunk, as Ray tasks
and as Ray actors; divided in advance (static) or by who is free (dynamic). Then what starting a worker costs,
what a message costs, what a lock or a queue for every item costs, and an update that gets lost. What it shows
is in `docs/concurrency.md`.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import report
from benchmarks.concurrency_jobs import (
    Account,
    Division,
    Job,
    SafeAccount,
    compiled_phi_sum,
    echo,
    make_echo_actor,
    make_worker_actor,
    phi,
    phi_sum,
    played_moves,
    serve_echo,
    shares,
    take_from_queue,
    take_under_lock,
)

REPEATS = 3
SMALL, LARGE = b"x", bytes(1 << 20)
"""Messages."""


@dataclass(frozen=True)
class Row:
    """One way of doing one job."""

    name: str  # of the measurement: way, start, message, item, lost update
    job: str
    way: str
    seconds: float  # median
    speed_up: float | None = None  # against serial
    cpu_seconds: float | None = None  # of this process and its ended children
    remark: str = ""


# --- ways ---


def in_threads(job: Job, division: Division) -> float:
    """A thread for each part."""
    with ThreadPoolExecutor(division.workers) as pool:
        return sum(pool.map(job, division.parts))


def in_processes(method: str) -> Callable[[Job, Division], float]:
    """A process for each part, started by `method`; startup included."""

    def way(job: Job, division: Division) -> float:
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(division.workers, mp_context=context) as pool:
            return sum(pool.map(job, division.parts))

    return way


def as_tasks(job: Job, division: Division) -> float:
    """A Ray task for each part; Ray's processes run already."""
    import ray

    task = ray.remote(job)
    return float(sum(ray.get([task.remote(part) for part in division.parts])))


class Actors:
    """Ray actors that keep what they have built from call to call."""

    def __init__(self, workers: int) -> None:
        self.actors = [make_worker_actor() for _ in range(workers)]

    def __call__(self, job: Job, division: Division) -> float:
        """The parts go to whoever is free: one call in flight for each actor."""
        import ray

        waiting, total = list(division.parts), 0.0
        busy = {actor.run.remote(job, waiting.pop()): actor for actor in self.actors if waiting}
        while busy:
            (done,), _ = ray.wait(list(busy))
            actor = busy.pop(done)
            total += ray.get(done)
            if waiting:
                busy[actor.run.remote(job, waiting.pop())] = actor
        return total


# --- measuring ---


def cpu_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def timed(way: Callable[[], float], repeats: int, expected: float | None) -> tuple[float, float]:
    """Medians of wall and processor seconds. Raises `AssertionError` where the result is another one."""
    walls, processors = [], []
    for _ in range(repeats):
        began, cpu = time.perf_counter(), cpu_seconds()
        found = way()
        walls.append(time.perf_counter() - began)
        processors.append(cpu_seconds() - cpu)
        assert expected is None or found == expected, f"{found}, expected {expected}"
    return statistics.median(walls), statistics.median(processors)


@dataclass(frozen=True)
class Sizes:
    """How much is done."""

    numbers: int = 100_000  # phi is summed up to here
    compiled: int = 2_000_000  # the same, compiled
    divided: int = 60_000  # the same, where divisions are compared
    moves: int = 24_000  # of self-play
    workers: int = 2
    messages: int = 200
    items: int = 5_000
    updates: int = 300_000
    repeats: int = REPEATS


def ways_of(job: Job, name: str, whole: Division, parts: Division, sizes: Sizes) -> Iterator[Row]:
    """The same job in every way; only serial work defines the result that all others must come to."""
    result = job(whole.parts[0])
    serial, cpu = timed(lambda: job(whole.parts[0]), sizes.repeats, result)
    yield Row("way", name, "serial", serial, 1.0, cpu)
    ways: dict[str, Callable[[Job, Division], float]] = {
        "threads": in_threads,
        "processes, fork": in_processes("fork"),
        "processes, spawn": in_processes("spawn"),
        "Ray tasks": as_tasks,
        "Ray actors": Actors(sizes.workers),
    }
    for way, function in ways.items():
        if way.startswith("Ray"):
            function(job, parts)  # once beforehand: Ray starts its workers, and keeps them
        wall, cpu = timed(partial(function, job, parts), sizes.repeats, result)
        own = None if way.startswith("Ray") else cpu  # Ray's workers are no children of ours
        yield Row("way", name, way, wall, serial / wall, own)


def _mapped(pool: ProcessPoolExecutor, job: Job, parts: Iterable[Any], chunk: int) -> float:
    return float(sum(pool.map(job, parts, chunksize=chunk)))


def divisions(sizes: Sizes) -> Iterator[Row]:
    """Static and dynamic division, and the chunks of a pool, of work whose items cost more and more."""
    numbers = range(2, sizes.divided)
    expected = phi_sum(numbers)
    halves = shares(numbers, sizes.workers, "blocks")
    turns = shares(numbers, sizes.workers, "turns")
    with ProcessPoolExecutor(sizes.workers, mp_context=multiprocessing.get_context("fork")) as pool:
        list(pool.map(phi, range(2, 100)))  # its processes have started
        serial, _ = timed(partial(_mapped, pool, phi_sum, [numbers], 1), sizes.repeats, expected)
        for way, parts in (("static, in blocks", halves), ("static, in turns", turns)):
            wall, _ = timed(partial(_mapped, pool, phi_sum, parts, 1), sizes.repeats, expected)
            yield Row("division", "phi", way, wall, serial / wall)
        for chunk in (1, 100, len(numbers) // sizes.workers):
            repeats = 1 if chunk == 1 else sizes.repeats  # it takes long
            wall, _ = timed(partial(_mapped, pool, phi, numbers, chunk), repeats, expected)
            yield Row("division", "phi", f"dynamic, chunks of {chunk}", wall, serial / wall)


def starts(sizes: Sizes) -> Iterator[Row]:
    """What it costs to start a worker that does nothing."""
    import ray

    def joined(worker: Any) -> float:
        worker.start()
        worker.join()
        return 0.0

    def actor() -> float:
        made = make_echo_actor()
        ray.get(made.echo.remote(SMALL))
        ray.kill(made)
        return 0.0

    fork, spawn = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")
    makers: dict[str, Callable[[], float]] = {
        "thread": lambda: joined(threading.Thread(target=echo, args=(SMALL,))),
        "process, fork": lambda: joined(fork.Process(target=echo, args=(SMALL,))),
        "process, spawn": lambda: joined(spawn.Process(target=echo, args=(SMALL,))),
        "Ray actor": actor,
    }
    for way, make in makers.items():
        wall, _ = timed(make, max(sizes.repeats, 3), None)
        yield Row("start", "nothing", way, wall)


def messages(sizes: Sizes) -> Iterator[Row]:
    """A round trip of a small message and of one MiB, between two of each kind."""
    import ray

    task, actor = ray.remote(echo), make_echo_actor()
    stored = ray.put(LARGE)
    with ThreadPoolExecutor(1) as threads, serve_echo() as ask:
        trips: dict[str, Callable[[Any], Any]] = {
            "thread": lambda message: threads.submit(echo, message).result(),
            "process, pipe": ask,
            "Ray task": lambda message: ray.get(task.remote(message)),
            "Ray actor": lambda message: ray.get(actor.echo.remote(message)),
        }
        for way, trip in trips.items():
            for size, message in (("1 byte", SMALL), ("1 MiB", LARGE)):
                trip(message)
                count = sizes.messages if message is SMALL else max(sizes.messages // 10, 1)
                wall, _ = timed(partial(_trips, trip, message, count), 3, None)
                yield Row("message", size, way, wall / count)
        length = actor.length
        ray.get(length.remote(stored))
        count = sizes.messages
        wall, _ = timed(lambda: float(sum(ray.get(length.remote(stored)) for _ in range(count))), 3, None)
        yield Row("message", "1 MiB", "Ray actor, object in the store", wall / count, remark="one way")
    ray.kill(actor)


def _trips(trip: Callable[[Any], Any], message: bytes, count: int) -> float:
    for _ in range(count):
        trip(message)
    return 0.0


def items(sizes: Sizes) -> Iterator[Row]:
    """A lock for every item, and a queue for every item."""
    numbers = range(2, sizes.items)
    expected = phi_sum(numbers)
    wall, _ = timed(lambda: phi_sum(numbers), sizes.repeats, expected)
    yield Row("item", "phi", "serial", wall / len(numbers))
    for way, function in (
        ("threads, a lock for each", take_under_lock),
        ("processes, a queue entry for each", take_from_queue),
    ):
        wall, _ = timed(partial(function, numbers, sizes.workers), sizes.repeats, expected)
        yield Row("item", "phi", way, wall / len(numbers))


def lost_updates(sizes: Sizes) -> Iterator[Row]:
    """Two threads that read, add and write; without a lock, with one, and each on its own account."""
    for way, account in (("read, add, write", Account()), ("under a lock", SafeAccount())):
        began = time.perf_counter()
        threads = [threading.Thread(target=account.add, args=(sizes.updates,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lost = 2 * sizes.updates - account.value
        yield Row("lost update", "adding 1", way, time.perf_counter() - began, remark=f"{lost} lost")


def rows(sizes: Sizes) -> Iterator[Row]:
    """All measurements."""
    import ray

    from runs.cluster import start_ray

    numbers = range(2, sizes.numbers)
    whole = Division(1, (numbers,))
    turns = Division(sizes.workers, shares(numbers, sizes.workers, "turns"))
    # divided the same way in all: what a worker plays depends on its seed, not on who plays beside it
    seeds = Division(sizes.workers, tuple([(seed, sizes.moves // 8)] for seed in range(8)))
    games = Division(1, ([part for parts in seeds.parts for part in parts],))
    start_ray(ray_config(sizes.workers), None)
    try:
        yield from ways_of(phi_sum, "phi in Python", whole, turns, sizes)
        numbers = range(2, sizes.compiled)
        whole = Division(1, (numbers,))
        turns = Division(sizes.workers, shares(numbers, sizes.workers, "turns"))
        for release in (False, True):
            name = f"phi, numba {'without' if release else 'with'} the lock"
            yield from ways_of(compiled_phi_sum(release), name, whole, turns, sizes)
        yield from ways_of(played_moves, "self-play of CartPole", games, seeds, sizes)
        yield from divisions(sizes)
        yield from starts(sizes)
        yield from messages(sizes)
        yield from items(sizes)
        yield from lost_updates(sizes)
    finally:
        ray.shutdown()


def ray_config(workers: int) -> Any:
    """A configuration by which Ray has a core for each worker."""
    from config import MuZeroConfig

    return MuZeroConfig(num_workers=max(workers - 3, 1))


# --- pictures ---


def draw(found: Sequence[Row], folder: Path) -> list[Path]:
    """Speed-ups by job and way, and costs on a logarithmic axis; the files."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    ways = [row for row in found if row.name == "way"]
    jobs = list(dict.fromkeys(row.job for row in ways))
    names = list(dict.fromkeys(row.way for row in ways))
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    for number, job in enumerate(jobs):
        heights = [next(r.speed_up or 0 for r in ways if r.job == job and r.way == way) for way in names]
        places = [place + (number - (len(jobs) - 1) / 2) * 0.8 / len(jobs) for place in range(len(names))]
        axes.bar(places, heights, 0.8 / len(jobs), label=job)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set(xticks=range(len(names)), xticklabels=names, ylabel="speed-up against serial (2 workers)")
    axes.legend(fontsize=8)
    costs = [row for row in found if row.name in ("start", "message", "item")]
    second = Figure(figsize=(9, 5.5), layout="constrained")
    below = second.subplots()
    labels = [f"{row.name}: {row.way}" + (f", {row.job}" if row.name == "message" else "") for row in costs]
    below.barh(range(len(costs)), [row.seconds * 1e6 for row in costs], color="tab:blue")
    below.set(yticks=range(len(costs)), yticklabels=labels, xscale="log", xlabel="microseconds each")
    below.invert_yaxis()
    paths = [folder / "concurrency-speed-up.png", folder / "concurrency-costs.png"]
    for drawn, path in zip((figure, second), paths, strict=True):
        drawn.savefig(path, dpi=110)
    return paths


def main() -> None:
    """Measures everything; prints a line for each, and draws it if asked to."""
    parser = argparse.ArgumentParser(description="one job in every way, and what each way costs")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="draw there")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    found = []
    for row in rows(Sizes(workers=arguments.workers)):
        found.append(row)
        report(dataclasses.asdict(row), arguments.json)
    if arguments.pictures is not None:
        for path in draw(found, arguments.pictures):
            report({"name": "picture", "path": str(path)}, arguments.json)


if __name__ == "__main__":
    main()
