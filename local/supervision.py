"""supervisord as a child of `redten up`: started, told what to start, stopped."""

import os
import signal
import socket
import subprocess
import sys
import xmlrpc.client
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from supervisor.states import ProcessStates
from supervisor.xmlrpc import Faults

from local.errors import LocalError
from local.processes import SUPERVISORD

ANSWER_LIMIT_S = 5.0


class Unreachable(Exception):
    """supervisord takes no commands: it has died, was halted, or is coming to its end."""


class Supervisor:
    """One supervisord, which may be started again after it has died."""

    def __init__(
        self, conf: Path, socket: Path, password: str, environment: dict[str, str]
    ) -> None:
        self._conf = conf
        self._transport = _Transport(socket)
        self._address = f"http://redten:{password}@localhost"
        self._environment = environment
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it away from the terminal: Ctrl-C is for `redten up`, which stops all in order."""
        self._child = subprocess.Popen(
            [sys.executable, "-m", SUPERVISORD, self._conf.name, str(os.getpid())],
            cwd=self._conf.parent,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._child.pid if self._child else 0

    def lives(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def answers(self) -> bool:
        """Whether it takes commands."""
        with suppress(Unreachable):
            return bool(self._call("getState")["statename"] == "RUNNING")
        return False

    def start_program(self, full_name: str) -> None:
        """Starts a program and does not wait for it; one that runs already is left alone."""
        try:
            self._call("startProcess", full_name, False)
        except xmlrpc.client.Fault as fault:
            # A failed start is tried again by supervisord itself.
            if fault.faultCode not in (Faults.ALREADY_STARTED, Faults.SPAWN_ERROR):
                raise LocalError(f"{full_name} does not start: {fault.faultString}") from fault

    def given_up(self) -> list[str]:
        """The programs that failed so often that supervisord tries no more."""
        found = self._call("getAllProcessInfo")
        return [
            f"{info['group']}:{info['name']}"
            for info in found
            if info["state"] == ProcessStates.FATAL
        ]

    def uptime_s(self, full_name: str) -> int:
        """For how long a program has been running; 0 if it is not."""
        info = self._call("getProcessInfo", full_name)
        return int(info["now"] - info["start"]) if info["state"] == ProcessStates.RUNNING else 0

    def ask_to_stop(self) -> None:
        """Begins the orderly end: every program, group by group, then supervisord itself."""
        if self._child is not None:
            # By a call: a signal would lie unseen for up to a second.
            with suppress(Unreachable):
                self._call("shutdown")
                return
            self._child.terminate()
            # A halted process hears nothing else.
            self._child.send_signal(signal.SIGCONT)

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            with xmlrpc.client.ServerProxy(self._address, self._transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == Faults.SHUTDOWN_STATE:
                raise Unreachable from fault
            raise
        except (OSError, HTTPException, xmlrpc.client.ProtocolError) as exc:
            raise Unreachable from exc


class _Transport(xmlrpc.client.Transport):
    """Leads calls to a Unix socket."""

    def __init__(self, socket: Path) -> None:
        super().__init__()
        self._socket = socket

    def make_connection(self, host: Any) -> HTTPConnection:
        """As the base does it: notes the password's header, and what there is to close."""
        _, self._extra_headers, _ = self.get_host_info(host)
        connection = _UnixConnection(self._socket)
        self._connection = host, connection
        return connection


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket, with a limit on each wait."""

    def __init__(self, socket: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_LIMIT_S)
        self._path = str(socket)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_LIMIT_S)
        self.sock.connect(self._path)
