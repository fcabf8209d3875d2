"""Where tasks are computed: here, in processes of this machine, or on a Dask cluster; same numbers.

A task carries everything that decides its result, so neither the number of workers nor the order in which
they finish can show in it.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from typing import Any, Protocol

from grid.errors import DocumentError, Problem
from simulator.rollout.year import Part, Task, run_task


class Executor(Protocol):
    """Computes tasks in any order."""

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Part]]:
        """Yield every task with its part as it becomes ready."""
        ...

    def close(self) -> None:
        """Let go of processes and connections."""
        ...


class Inline:
    """One task after the other in this process."""

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Part]]:
        """Yield every task with its part as it becomes ready."""
        for task in tasks:
            yield task, run_task(task)

    def close(self) -> None:
        """Nothing to let go of."""


class Processes:
    """Processes of this machine; they are started once and keep the library of sessions.

    Parameters
    ----------
    workers
        How many.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Part]]:
        """Yield every task with its part as it becomes ready."""
        futures: dict[Future[Part], Task] = {self._pool.submit(run_task, task): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()

    def close(self) -> None:
        """End the processes; what has not begun is dropped."""
        self._pool.shutdown(cancel_futures=True)


class Dask:
    """A Dask cluster whose workers have this package and its data folder at the same place.

    Parameters
    ----------
    address
        Of the scheduler (``tcp://host:8786``).

    Raises
    ------
    DocumentError
        When the extra is not installed or nobody answers.
    """

    def __init__(self, address: str) -> None:
        try:
            import distributed  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            problem = Problem("--dask", "needs the package distributed: pip install 'wijkstroom[rollout]'")
            raise DocumentError("rollout", [problem]) from error
        connect: Any = distributed.Client
        try:
            self._client = connect(address, set_as_default=False, timeout="15s")
        except (OSError, ValueError) as error:
            problem = Problem("--dask", f"no scheduler answers at {address}: start one with `dask scheduler`")
            raise DocumentError("rollout", [problem]) from error
        self._as_completed: Any = distributed.as_completed

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Part]]:
        """Yield every task with its part as it becomes ready."""
        futures = {self._client.submit(run_task, task, pure=False): task for task in tasks}
        with self._client.as_current():
            ready: Iterable[Any] = self._as_completed(list(futures))
        for future in ready:
            yield futures[future], future.result()

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()


def make_executor(workers: int, dask: str | None = None) -> Executor:
    """Return the executor for a number of workers or a cluster.

    Raises
    ------
    DocumentError
        When the cluster cannot be reached.
    """
    if dask:
        return Dask(dask)
    return Inline() if workers <= 1 else Processes(workers)
