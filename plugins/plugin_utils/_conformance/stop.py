# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ending early without leaving anything: a signal, or the end of the process that started us, only raises a flag."""
from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType

LOOK = 0.5  # seconds between two looks whether our parent still lives


class Interrupted(Exception):
    """The run is to end; raised where it waits."""


class Stop:
    """Whether the run is to end. While it is entered, SIGINT, SIGTERM and SIGHUP raise the flag instead of ending the process, so
    that there is time to clean up, and so does the end of the parent process."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._over = threading.Event()
        self._before: dict[int, object] = {}
        self.why = ""

    def ask(self, why: str) -> None:
        if not self._event.is_set():
            self.why = why
        self._event.set()

    @property
    def asked(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raises Interrupted when the run is to end."""
        if self._event.is_set():
            raise Interrupted(self.why)

    def sleep(self, seconds: float) -> None:
        """Wait; raises Interrupted when the run is to end, at once."""
        if self._event.wait(seconds):
            raise Interrupted(self.why)

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._before[number] = signal.signal(number, self._signalled)
        threading.Thread(target=self._watch, args=(os.getppid(), time.sleep), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self.ask(f"ended by {signal.Signals(number).name}")

    def _watch(self, parent: int, sleep: Callable[[float], None]) -> None:
        while not self._over.is_set():
            if os.getppid() != parent:
                self.ask("the process that started the run has ended")
                return
            sleep(LOOK)
