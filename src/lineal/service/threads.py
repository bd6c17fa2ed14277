"""A pool of threads that still works while the program ends, when Python's own takes nothing any more."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

_T = TypeVar("_T")
_Job = tuple["Future[Any]", Callable[[], Any]]


class Threads(Executor):
    """At most `count` threads, begun when they are needed. They end with the process, and a child of a fork has its own.

    Unlike `ThreadPoolExecutor` it takes work after the main thread has ended too, while exit handlers run.
    """

    def __init__(self, count: int, name: str) -> None:
        self._count, self._name = count, name
        self._lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._begun: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)

    def start(self) -> None:
        """Begin all threads now: late in its end Python begins none."""
        with self._lock:
            self._mine()
            while len(self._begun) < self._count:
                self._begin()

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Run a function in one of the threads."""
        done: Future[_T] = Future()
        with self._lock:
            self._mine()
            if not self._idle.acquire(blocking=False) and len(self._begun) < self._count:
                try:
                    self._begin()
                except RuntimeError:  # the interpreter ends: those that there are must do
                    if not self._begun:
                        raise
            self._jobs.put((done, lambda: fn(*args, **kwargs)))
        return done

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end when their work is done."""
        with self._lock:
            begun, self._begun = self._begun, []
            for _ in begun:
                self._jobs.put(None)
        for thread in begun if wait else ():
            thread.join()

    def _mine(self) -> None:
        if self._pid != os.getpid():
            self._reset()

    def _begin(self) -> None:
        thread = threading.Thread(
            target=self._work,
            args=(self._jobs, self._idle),
            name=f"{self._name}-{len(self._begun)}",
            daemon=True,
        )
        thread.start()
        self._begun.append(thread)

    @staticmethod
    def _work(jobs: queue.SimpleQueue[_Job | None], idle: threading.Semaphore) -> None:
        while (job := jobs.get()) is not None:
            done, function = job
            if done.set_running_or_notify_cancel():
                try:
                    done.set_result(function())
                except BaseException as error:  # noqa: BLE001 - told to who waits for it
                    done.set_exception(error)
            del job, done, function
            idle.release()
