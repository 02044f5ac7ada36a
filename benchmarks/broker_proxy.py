"""A TCP proxy in front of the broker that can break connections in the middle of a message."""

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.stack import Stack
from local.ports import first_free
from local.processes import Kin

VALKEY = "valkey-server"
HOST, READ_BYTES = "127.0.0.1", 1 << 16
# Closing with a limit of zero seconds resets the connection instead of ending it.
RESET = struct.pack("ii", 1, 0)


class BrokerProxy:
    """Listens on `port` of this machine for a server on `target`; used as a context manager."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self.target = port, target
        self.cuts = 0
        self._to_cut, self._whole_bytes = 0, 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "BrokerProxy":
        self._thread.start()
        listening = asyncio.start_server(self._serve, HOST, self.port)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self, messages: int, after_bytes: int) -> None:
        """Lets only `after_bytes` of each of the next messages that are longer than that pass.

        Then their connections are reset on both sides; 0 messages: no more.
        """
        self._to_cut, self._whole_bytes = messages, after_bytes

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # Sockets that were closed just now are let go in the loop's next turn.
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            answers, onward = await asyncio.open_connection(HOST, self.target)
            ends.append(onward)
            pipes = {
                asyncio.create_task(self._pass_on(reader, onward, ends)),
                asyncio.create_task(self._pass_on(answers, writer, ends)),
            }
            _, other = await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            for task in other:
                task.cancel()
        except ConnectionRefusedError:
            pass  # as the server itself would: nobody is there
        finally:
            for end in ends:
                end.close()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ends: list[asyncio.StreamWriter],
    ) -> None:
        """Until the one side has no more to say, the other is gone, or the message was cut."""
        try:
            while message := await reader.read(READ_BYTES):
                if self._to_cut and len(message) > self._whole_bytes:
                    self._to_cut, self.cuts = self._to_cut - 1, self.cuts + 1
                    writer.write(message[: self._whole_bytes])
                    return _reset(ends)
                writer.write(message)
                await writer.drain()
        except ConnectionError:
            return


def _reset(ends: list[asyncio.StreamWriter]) -> None:
    for end in ends:
        plain: socket.socket = end.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@contextmanager
def proxied(stack: Stack) -> Iterator[BrokerProxy]:
    """Puts a proxy where all of a running deployment look for its broker.

    The broker moves to another port, which only its supervisor knows; it is restarted for that.
    """
    conf = stack.layout.run / "valkey.conf"
    text = conf.read_text()
    [port] = map(int, re.findall(r"(?m)^port (\d+)$", text))
    free = first_free(port + 1)
    conf.write_text(text.replace(f"port {port}\n", f"port {free}\n"))
    [broker] = [one for one in Kin.of(stack.layout).alive() if one.name() == VALKEY]
    broker.kill()
    broker.wait()
    with BrokerProxy(port, free) as proxy:
        yield proxy
