"""Shows where the process is when the engine asks: the stacks of all threads, and asyncio's tasks.

The engine asks with SIGUSR2 when a component makes no progress, and reads the answer from a file. The
threads are shown by faulthandler, which needs no help of the code that hangs; the tasks are shown
only where the main thread still runs Python.
"""

import asyncio
import faulthandler
import os
import signal
from types import FrameType
from typing import Any, Callable, List, Optional, TextIO

#: So many of asyncio's tasks are shown, and so many frames of each.
_TASKS = 20
_FRAMES = 10

Loop = Callable[[], Optional[asyncio.AbstractEventLoop]]


def install(folder: str, loop: Loop) -> bool:
    """Answer SIGUSR2 in the file ``PID.stacks``; False where that cannot be, or the user's code has
    a handler of its own."""
    try:
        if signal.getsignal(signal.SIGUSR2) is not signal.SIG_DFL:
            return False
        path = os.path.join(folder, f"{os.getpid()}.stacks")
        file = open(path, "a", encoding="utf-8", errors="backslashreplace")

        def show_tasks(number: int, frame: Optional[FrameType]) -> None:
            try:
                _show_tasks(loop(), file)
            except Exception as error:  # where it happens to run is no place for an exception
                print(f"the tasks cannot be shown: {error}", file=file, flush=True)

        signal.signal(signal.SIGUSR2, show_tasks)
        faulthandler.register(signal.SIGUSR2, file=file, all_threads=True, chain=True)
    except (OSError, ValueError, RuntimeError, AttributeError):
        return False  # no such folder, not the main thread, no such signal
    return True


def _show_tasks(loop: Optional[asyncio.AbstractEventLoop], file: TextIO) -> None:
    if loop is None:
        return
    tasks = [task for task in asyncio.all_tasks(loop) if not task.done()]
    for task in tasks[:_TASKS]:
        print(f"Task {task.get_name()} (most recent call last):", file=file)
        print("\n".join(_awaits(task.get_coro())), file=file)
    if len(tasks) > _TASKS:
        print(f"and {len(tasks) - _TASKS} tasks more", file=file)
    file.flush()


def _awaits(awaited: Any) -> List[str]:
    """Where a coroutine waits, and what it waits for: each awaits the next."""
    lines: List[str] = []
    while awaited is not None and len(lines) < _FRAMES:
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(awaited, kind + "_frame")), None)
        if kind is None:
            lines.append(f"  {awaited!r}")
            break
        frame = getattr(awaited, kind + "_frame")
        if frame is not None:
            code = frame.f_code
            lines.append(f'  File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}')
        awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else kind + "_await")
    return lines
