"""Python's logging, sent to the engine as log messages with their levels kept."""

import logging
from typing import Any, Callable, Dict


def level_number(level: int) -> int:
    """Storm's level (0 trace to 4 error) of one of Python's."""
    if level < logging.DEBUG:
        return 0
    return min(4, 1 + (level - logging.DEBUG) // 10)


class EngineHandler(logging.Handler):
    """Turns log records into ``log`` messages."""

    def __init__(self, component: str, send: Callable[[Dict[str, Any]], None]) -> None:
        super().__init__()
        self._component = component
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            if record.name not in (self._component, "root"):
                text = f"{record.name}: {text}"
            self._send({"command": "log", "msg": text, "level": level_number(record.levelno)})
        except Exception:
            self.handleError(record)  # logging's own way: the traceback goes to stderr


def install(component: str, send: Callable[[Dict[str, Any]], None]) -> EngineHandler:
    """Attach to the root logger. The component's own logger passes debug records too."""
    handler = EngineHandler(component, send)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger(component).setLevel(1)
    logging.captureWarnings(True)
    return handler
