# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Docker Engine's own interface, over its socket: answers are JSON, nothing secret stands on a command line, no library is needed.

Runs on nodes: Python 3.7 is enough.
"""
from __future__ import annotations

import http.client
import json
import socket
from typing import Any

SOCKET = "/var/run/docker.sock"


class DockerError(Exception):
    """The engine refused or does not answer. status: of HTTP, 0 when it could not be asked."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Docker:
    """The engine of this node. timeout: seconds that one question may take."""

    def __init__(self, path: str = SOCKET, timeout: float = 30) -> None:
        self._path, self._timeout = path, timeout

    def ask(self, method: str, path: str, body: Any = None, timeout: float | None = None) -> Any:
        """The engine's answer; None where it has no content. Raises DockerError."""
        connection = _Connection(self._path, timeout or self._timeout)
        data = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, data, {"Content-Type": "application/json"} if data is not None else {})
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except FileNotFoundError:
            raise DockerError(f"there is no {self._path}: Docker does not run") from None
        except (socket.timeout, TimeoutError):
            raise DockerError(f"Docker gave no answer to {path.split('?')[0]} within {timeout or self._timeout:.0f} seconds") from None
        except (OSError, http.client.HTTPException) as failure:
            raise DockerError(f"Docker cannot be asked: {failure}") from None
        finally:
            connection.close()
        told = _parsed(text)
        if answer.status >= 400:
            message = told.get("message") if isinstance(told, dict) else text
            raise DockerError(str(message or f"HTTP {answer.status}").strip(), answer.status)
        return told

    def get(self, path: str, timeout: float | None = None) -> Any:
        return self.ask("GET", path, None, timeout)

    def post(self, path: str, body: Any = None, timeout: float | None = None) -> Any:
        return self.ask("POST", path, {} if body is None else body, timeout)


def _parsed(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
