"""The jobs that `benchmarks.concurrency` does in every way, in a module that other processes can import."""

from __future__ import annotations

import multiprocessing
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

from numba import njit

Job = Callable[[Any], float]
"""Takes a part of the work, returns what it comes to; the parts' results are added up."""


class Division(NamedTuple):
    """How work is divided."""

    workers: int
    parts: Sequence[Any]


def shares(numbers: range, count: int, kind: Literal["blocks", "turns"]) -> list[range]:
    """`numbers` in `count` parts: neighbours together, or each `count`th one."""
    if kind == "turns":
        return [numbers[start::count] for start in range(count)]
    size = -(-len(numbers) // count)
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


# --- Euler's phi ---


def phi(n: int) -> int:
    """How many of 1 to n have no divisor in common with n but 1."""
    result, divisor = n, 2
    while divisor * divisor <= n:
        if n % divisor == 0:
            result -= result // divisor
            while n % divisor == 0:
                n //= divisor
        divisor += 1
    return result - result // n if n > 1 else result


def phi_sum(numbers: range) -> float:
    """The sum of phi, in pure Python."""
    return float(sum(map(phi, numbers)))


_phi = njit(phi)


@njit
def _sum_with_lock(start: int, stop: int, step: int) -> int:
    total = 0
    for number in range(start, stop, step):
        total += _phi(number)
    return total


@njit(nogil=True)
def _sum_without_lock(start: int, stop: int, step: int) -> int:
    total = 0
    for number in range(start, stop, step):
        total += _phi(number)
    return total


def phi_sum_with_lock(numbers: range) -> float:
    """The sum of phi, compiled; the interpreter's lock is held meanwhile."""
    return float(_sum_with_lock(numbers.start, numbers.stop, numbers.step))


def phi_sum_without_lock(numbers: range) -> float:
    """The sum of phi, compiled; others may run Python meanwhile."""
    return float(_sum_without_lock(numbers.start, numbers.stop, numbers.step))


def compiled_phi_sum(release: bool) -> Job:
    """The compiled sum that releases the interpreter's lock, or does not."""
    return phi_sum_without_lock if release else phi_sum_with_lock


# --- self-play ---


def played_moves(parts: Sequence[tuple[int, int]]) -> float:
    """Plays CartPole with fresh networks: of each (seed, moves) so many moves; returns the sum of returns.

    A player is built for each call, as whoever keeps none between two calls has to.
    """
    return float(sum(Player(seed).play(moves) for seed, moves in parts))


class Player:
    """Self-play of CartPole by an untrained network."""

    def __init__(self, seed: int) -> None:
        from core.threads import use_one_thread
        from data import Weights
        from games.api.sources import load_game
        from models import get_weights, make_network
        from search.planner import self_play_planner
        from self_play import SelfPlay
        from shared_storage import LocalSource, SharedStorage

        use_one_thread()
        spec = load_game("cartpole")
        config = spec.config.replace(seed=seed, games_per_worker=16)
        storage: SharedStorage[Weights] = SharedStorage()
        storage.publish(0, get_weights(make_network(config)))
        self.player = SelfPlay(
            spec, config, 0, LocalSource(storage, lambda weights: weights), self_play_planner(config, "cpu")
        )

    def play(self, moves: int) -> float:
        """Plays `moves` moves; the number that were made."""
        report, _ = self.player.play(moves, float("inf"))
        return float(report.steps)


# --- messages ---


def echo(message: bytes) -> bytes:
    """The message itself."""
    return message


@contextmanager
def serve_echo() -> Iterator[Callable[[bytes], bytes]]:
    """Asks a process at the other end of a pipe."""
    here, there = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(there,), daemon=True)
    process.start()

    def ask(message: bytes) -> bytes:
        here.send_bytes(message)
        return bytes(here.recv_bytes())

    yield ask
    here.send_bytes(b"")
    process.join()


def _serve(pipe: Any) -> None:
    while message := pipe.recv_bytes():
        pipe.send_bytes(message)


def make_echo_actor() -> Any:
    """A Ray actor that answers with what it was sent."""
    import ray

    return ray.remote(_Echo).options(num_cpus=0).remote()


class _Echo:
    def echo(self, message: bytes) -> bytes:
        return message

    def length(self, message: bytes) -> int:
        return len(message)


def make_worker_actor() -> Any:
    """A Ray actor that does parts of any job."""
    import ray

    return ray.remote(_Worker).options(num_cpus=0).remote()


class _Worker:
    def run(self, job: Job, part: Any) -> float:
        return job(part)


# --- locks and queues ---


def take_under_lock(numbers: range, workers: int) -> float:
    """Threads that take one number at a time, under a lock."""
    waiting, lock, sums = iter(numbers), threading.Lock(), []

    def work() -> None:
        total = 0
        while True:
            with lock:
                number = next(waiting, None)
            if number is None:
                break
            total += phi(number)
        sums.append(total)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return float(sum(sums))


def take_from_queue(numbers: range, workers: int) -> float:
    """Processes that take one number at a time from a queue."""
    context = multiprocessing.get_context("fork")
    waiting, sums = context.Queue(), context.Queue()
    processes = [context.Process(target=_drain, args=(waiting, sums)) for _ in range(workers)]
    for process in processes:
        process.start()
    for number in numbers:
        waiting.put(number)
    for _ in processes:
        waiting.put(None)
    total = sum(sums.get() for _ in processes)
    for process in processes:
        process.join()
    return float(total)


def _drain(waiting: queue.Queue[int | None], sums: queue.Queue[int]) -> None:
    total = 0
    while (number := waiting.get()) is not None:
        total += phi(number)
    sums.put(total)


# --- a lost update ---


class Account:
    """Adds 1 in three steps, between which another thread may come."""

    def __init__(self) -> None:
        self.value = 0

    def add(self, times: int) -> None:
        """Adds 1 so many times."""
        for _ in range(times):
            value = self.value
            self.value = self._one_more(value)  # at a call the interpreter may go on with another thread

    def _one_more(self, value: int) -> int:
        return value + 1


class SafeAccount(Account):
    """The same under a lock."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def add(self, times: int) -> None:
        """Adds 1 so many times."""
        for _ in range(times):
            with self._lock:
                self.value = self._one_more(self.value)
