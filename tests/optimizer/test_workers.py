"""Workers: answers, exceptions, deadlines, crashes, replacement."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError

import pytest

from optimizer.workers import Executor, InlineExecutor, ProcessExecutor, WorkerKilledError

ANSWER_S = 30.0


class PickyError(Exception):
    """Cannot be unpickled: its constructor takes other arguments than it hands on."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def add(left: int, right: int) -> int:
    return left + right


def fail() -> None:
    raise ValueError("no such thing")


def fail_pickily() -> None:
    raise PickyError("one", "two")


def hang() -> None:
    time.sleep(3600)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def unpicklable() -> object:
    return lambda: None


def print_and_answer() -> int:
    sys.stdout.write("noise of a solver\n")
    sys.stdout.flush()
    os.write(1, b"noise of a library\n")
    return os.getpid()


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessExecutor]:
    executor = ProcessExecutor(workers=1)
    yield executor
    executor.close()


def test_an_inline_executor_answers_before_it_returns() -> None:
    executor: Executor = InlineExecutor()
    future = executor.submit(add, 1, 2, deadline_s=1.0)
    assert future.done()
    assert future.result() == 3
    with pytest.raises(ValueError, match="no such thing"):
        executor.submit(fail).result()
    executor.close()


def test_a_process_answers_and_hands_back_exceptions(processes: ProcessExecutor) -> None:
    assert processes.submit(add, 1, 2).result(ANSWER_S) == 3
    with pytest.raises(ValueError, match="no such thing"):
        processes.submit(fail).result(ANSWER_S)


def test_what_cannot_cross_processes_is_an_error_and_not_the_end_of_the_worker(
    processes: ProcessExecutor,
) -> None:
    with pytest.raises(RuntimeError, match="result"):
        processes.submit(unpicklable).result(ANSWER_S)
    with pytest.raises(RuntimeError, match="one and two"):
        processes.submit(fail_pickily).result(ANSWER_S)
    with pytest.raises(Exception, match="pickle"):
        processes.submit(lambda: 1).result(ANSWER_S)
    assert processes.submit(add, 2, 2).result(ANSWER_S) == 4


def test_a_worker_is_killed_at_its_deadline_and_replaced(processes: ProcessExecutor) -> None:
    before = processes.submit(os.getpid).result(ANSWER_S)
    began = time.monotonic()
    hanging = processes.submit(hang, deadline_s=0.2)
    after = processes.submit(os.getpid)
    with pytest.raises(WorkerKilledError, match="deadline"):
        hanging.result(ANSWER_S)
    assert time.monotonic() - began < 5.0
    assert after.result(ANSWER_S) != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_a_worker_that_crashes_is_replaced(processes: ProcessExecutor) -> None:
    with pytest.raises(WorkerKilledError, match="died"):
        processes.submit(crash).result(ANSWER_S)
    assert processes.submit(add, 2, 3).result(ANSWER_S) == 5


def test_a_cancelled_job_is_never_run(processes: ProcessExecutor) -> None:
    first = processes.submit(time.sleep, 0.2)
    second = processes.submit(hang)
    assert second.cancel()
    first.result(ANSWER_S)
    assert processes.submit(add, 3, 3).result(ANSWER_S) == 6
    with pytest.raises(CancelledError):
        second.result()


def test_a_worker_does_not_write_to_standard_output(
    processes: ProcessExecutor, capfd: pytest.CaptureFixture[str]
) -> None:
    assert processes.submit(print_and_answer).result(ANSWER_S) in processes.worker_pids()
    assert capfd.readouterr().out == ""


def test_closing_kills_what_runs_and_refuses_what_waits() -> None:
    executor = ProcessExecutor(workers=1)
    pid = executor.submit(os.getpid).result(ANSWER_S)
    running, waiting = executor.submit(hang), executor.submit(add, 1, 1)
    executor.close()
    executor.close()
    for future in (running, waiting):
        with pytest.raises(WorkerKilledError, match="closed"):
            future.result(1.0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(RuntimeError, match="closed"):
        executor.submit(add, 1, 1)


def test_a_worker_that_cannot_warm_up_says_so() -> None:
    executor = ProcessExecutor(workers=1, warm_up=fail)
    with pytest.raises(WorkerKilledError, match="no such thing"):
        executor.submit(add, 1, 1).result(ANSWER_S)
    executor.close()


def test_no_worker_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        ProcessExecutor(workers=0)
