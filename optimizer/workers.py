"""Where solving happens: processes that can be killed one by one at a deadline and are replaced warm.

A pool that cannot kill one worker would let a hanging solver block the street. Every worker process here
belongs to one thread of the parent that feeds it, waits for the answer no longer than the deadline, kills it
when it does not come, and warms up the next one before it takes the next job.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, TypeVar

from grid.errors import WijkstroomError

ResultT = TypeVar("ResultT")
# Real seconds that a new process may take for its warm-up before it is given up.
WARM_UP_LIMIT_S = 120.0
# Processes that die during warm-up one after the other before the executor says so instead of trying again.
MOST_FAILED_STARTS = 3
# Real seconds for a process to leave by itself when the executor closes.
LEAVE_S = 1.0


class WorkerKilledError(WijkstroomError):
    """The worker was killed at its deadline, or died, before it answered."""


class Executor(Protocol):
    """Runs functions somewhere and hands back futures."""

    def submit(
        self, function: Callable[..., ResultT], /, *args: Any, deadline_s: float | None = None
    ) -> Future[ResultT]:
        """Start ``function(*args)``.

        Parameters
        ----------
        function
            A function of a module; it and ``args`` are pickled where the executor crosses processes.
        deadline_s
            Real seconds that it may run, from the moment a warm worker begins with it. None: no limit.

        Returns
        -------
        Future
            Its result, its exception, or `WorkerKilledError`.
        """
        ...

    def close(self) -> None:
        """Stop all work; futures that are not done get `WorkerKilledError`."""
        ...


class InlineExecutor:
    """Runs in the caller's thread before ``submit`` returns: for tests and the command line."""

    def submit(
        self, function: Callable[..., ResultT], /, *args: Any, deadline_s: float | None = None
    ) -> Future[ResultT]:
        """Run ``function(*args)`` at once; nobody can kill it, so the deadline is not watched."""
        del deadline_s
        future: Future[ResultT] = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever holds the future
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class _Job:
    message: bytes
    deadline_s: float | None
    future: Future[Any]


class ProcessExecutor:
    """Spawned processes, each killed and replaced on its own.

    Parameters
    ----------
    workers
        Number of processes.
    warm_up
        Function of a module that every new process runs before its first job: imports, a first solve.
    """

    def __init__(self, workers: int = 1, warm_up: Callable[[], object] | None = None) -> None:
        if workers < 1:
            raise ValueError(f"workers is {workers}: give 1 or more")
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._slots = [_Slot(self._jobs, self._closed, warm_up, index) for index in range(workers)]

    def submit(
        self, function: Callable[..., ResultT], /, *args: Any, deadline_s: float | None = None
    ) -> Future[ResultT]:
        """Queue ``function(*args)`` for the next free worker.

        Raises
        ------
        RuntimeError
            When the executor is closed.
        """
        if self._closed.is_set():
            raise RuntimeError("the executor is closed: make a new one")
        future: Future[ResultT] = Future()
        try:
            message = pickle.dumps((function, args))
        except Exception as error:  # noqa: BLE001 - pickling runs foreign code and may raise anything
            future.set_exception(error)
            return future
        self._jobs.put(_Job(message, deadline_s, future))
        return future

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers that are alive."""
        return [pid for slot in self._slots if (pid := slot.pid) is not None]

    def close(self) -> None:
        """Kill what runs, refuse what waits, and wait until every process is gone."""
        if self._closed.is_set():
            return
        self._closed.set()
        for slot in self._slots:
            slot.interrupt()
            self._jobs.put(None)
        for slot in self._slots:
            slot.join()
        with contextlib.suppress(queue.Empty):
            while True:
                job = self._jobs.get_nowait()
                if job is not None and job.future.set_running_or_notify_cancel():
                    job.future.set_exception(WorkerKilledError("the executor was closed"))


class _Slot:
    """One thread of the parent and the process that it feeds."""

    def __init__(
        self,
        jobs: queue.SimpleQueue[_Job | None],
        closed: threading.Event,
        warm_up: Callable[[], object] | None,
        index: int,
    ) -> None:
        self._jobs = jobs
        self._closed = closed
        self._warm_up = warm_up
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._wake_reader, self._wake_writer = multiprocessing.Pipe(duplex=False)
        self._thread = threading.Thread(target=self._run, name=f"wijkstroom-worker-{index}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.is_alive() else None

    def interrupt(self) -> None:
        """Make the thread look at ``closed``, whatever it waits for."""
        self._wake_writer.send_bytes(b"!")

    def join(self) -> None:
        self._thread.join()
        self._wake_reader.close()
        self._wake_writer.close()

    def _run(self) -> None:
        # A failed start is tried again, and told, with the first job.
        with contextlib.suppress(WorkerKilledError):
            self._start()
        while (job := self._jobs.get()) is not None:
            if job.future.set_running_or_notify_cancel():
                self._serve(job)
        self._stop()

    def _serve(self, job: _Job) -> None:
        try:
            if self._pipe is None:
                self._start()
            succeeded, result = self._ask(job.message, job.deadline_s)
        except WorkerKilledError as error:
            self._kill()
            job.future.set_exception(error)
            # The replacement warms up while the caller reads the error.
            with contextlib.suppress(WorkerKilledError):
                self._start()
            return
        if succeeded:
            job.future.set_result(result)
        else:
            job.future.set_exception(result)

    def _ask(self, message: bytes, deadline_s: float | None) -> tuple[bool, Any]:
        if self._pipe is None or self._closed.is_set():
            raise WorkerKilledError("the executor was closed")
        began = time.monotonic()
        try:
            self._pipe.send_bytes(message)
            ready = multiprocessing.connection.wait([self._pipe, self._wake_reader], deadline_s)
            if self._wake_reader in ready:
                raise WorkerKilledError("the executor was closed")
            if not ready:
                raise WorkerKilledError(
                    f"killed after {time.monotonic() - began:.1f} s: no answer at the deadline"
                )
            answer: tuple[bool, Any] = pickle.loads(self._pipe.recv_bytes())  # noqa: S301 - our own process
        except (EOFError, OSError) as error:
            raise WorkerKilledError(f"the worker process died ({type(error).__name__})") from error
        return answer

    def _start(self) -> None:
        """Start a process and wait until it is warm.

        Raises
        ------
        WorkerKilledError
            When several in a row died or failed in their warm-up.
        """
        reason: object = None
        for _ in range(MOST_FAILED_STARTS):
            self._spawn()
            try:
                succeeded, reason = self._ask(pickle.dumps((self._warm_up or _nothing, ())), WARM_UP_LIMIT_S)
            except WorkerKilledError as error:
                succeeded, reason = False, error
            if succeeded:
                return
            self._kill()
            if self._closed.is_set():
                break
        raise WorkerKilledError(f"no worker process could be started: {reason}")

    def _spawn(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), name="wijkstroom-worker", daemon=True)
        self._process.start()
        theirs.close()

    def _kill(self) -> None:
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.kill()
            process.join()
            process.close()

    def _stop(self) -> None:
        process, pipe = self._process, self._pipe
        if process is not None and pipe is not None:
            pipe.close()
            process.join(LEAVE_S)
        self._kill()


def _nothing() -> None:
    """Warm up nothing but the process itself."""


def _work(pipe: Connection) -> None:
    """Serve jobs until the parent closes its end of the pipe."""
    # An interrupt at the terminal goes to the whole group: the parent decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Standard output belongs to the parent's documents.
    sys.stdout.flush()
    os.dup2(2, 1)
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(_perform(pipe.recv_bytes()))


def _perform(message: bytes) -> bytes:
    try:
        function, args = pickle.loads(message)  # noqa: S301 - our own parent
        answer = (True, function(*args))
    except Exception as error:  # noqa: BLE001 - it belongs to whoever holds the future
        answer = (False, error)
    try:
        packed = pickle.dumps(answer)
        if not answer[0]:
            # An exception with its own constructor may be packed and not unpacked again.
            pickle.loads(packed)  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - pickling runs foreign code and may raise anything
        kind = "result" if answer[0] else "error"
        return pickle.dumps(
            (False, RuntimeError(f"the {kind} {answer[1]!r} cannot be sent between processes"))
        )
    return packed
