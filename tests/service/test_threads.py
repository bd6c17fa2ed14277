from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from lineal.service.threads import Threads


def test_work_is_done_by_as_many_threads_as_there_may_be() -> None:
    pool, met = Threads(3, "test"), threading.Barrier(3)
    waiting = [pool.submit(met.wait, 10) for _ in range(3)]
    assert sorted(job.result(10) for job in waiting) == [0, 1, 2]
    assert [job.result(10) for job in [pool.submit(pow, 2, n) for n in range(50)]] == [
        2**n for n in range(50)
    ]
    assert len(pool._begun) == 3
    pool.shutdown()


def test_a_failure_is_told_to_who_waits() -> None:
    pool = Threads(1, "test")
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 // 0).result(10)
    assert pool.submit(lambda: "alive").result(10) == "alive"
    pool.shutdown()


def test_a_child_of_a_fork_has_threads_of_its_own() -> None:
    pool = Threads(2, "test")
    assert pool.submit(os.getpid).result(10) == os.getpid()
    child = os.fork()
    if not child:
        os._exit(0 if pool.submit(os.getpid).result(10) == os.getpid() else 1)
    assert os.waitpid(child, 0)[1] == 0
    pool.shutdown()


def test_work_is_done_while_the_program_ends() -> None:
    script = (
        "import atexit\n"
        "from lineal.service.threads import Threads\n"
        "pool = Threads(2, 'test'); pool.start()\n"
        "atexit.register(lambda: print(pool.submit(sum, [1, 2]).result(10)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("3\n", "")
