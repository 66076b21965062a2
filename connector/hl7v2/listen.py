"""The MLLP listener: blocks from many connections, each answered when it is stored; slow and endless ones end."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Sequence

from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server

from connector.logs import get_logger

log = get_logger("hl7v2")

# MLLP, release 1: <VT> block <FS><CR>.
_START, _END = b"\x0b", b"\x1c\r"
LARGEST_BLOCK_BYTES = 8 * 1024 * 1024  # a report with its PDF in OBX-5
SECONDS_FOR_A_BLOCK = 30.0  # from its first byte; between blocks a sender may be silent for days
_SECONDS_FOR_AN_ANSWER = 30.0

Answer = Callable[[bytes], Sequence[bytes]]


class MllpListener:
    """A listener in a thread of its own; `answer` runs in worker threads, one block of a connection at a time."""

    def __init__(
        self,
        answer: Answer,
        *,
        host: str,
        port: int,
        maximum_connections: int = 32,
        tls: ssl.SSLContext | None = None,
        largest_block_bytes: int = LARGEST_BLOCK_BYTES,
        seconds_for_a_block: float = SECONDS_FOR_A_BLOCK,
    ) -> None:
        self._answer = answer
        self._host = host
        self._port = port
        self._maximum = maximum_connections
        self._tls = tls
        self._largest = largest_block_bytes
        self._seconds = seconds_for_a_block
        self._open: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()  # those of them that are between two blocks
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._fault: OSError | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="mllp", daemon=True)

    @property
    def port(self) -> int:
        """The bound port."""
        return self._port

    def start(self) -> None:
        """Start and wait until the port is bound. Raises OSError when it cannot be."""
        self._thread.start()
        self._ready.wait()
        if self._fault is not None:
            raise self._fault
        log.info("listening", port=self._port)

    def stop(self, grace_seconds: float = 10.0) -> None:
        """Take no more connections, let answers under way leave, and end."""
        if self._loop is not None and self._stopping is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(grace_seconds)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await start_hl7_server(self._connected, self._host, self._port, limit=self._largest, ssl=self._tls)
        except OSError as fault:
            self._fault = fault
            self._ready.set()
            return
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await self._stopping.wait()
            server.close()
            for task in list(self._waiting):
                task.cancel()
            # An answer under way leaves first: what was stored and not acknowledged would come again.
            await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= self._maximum:
            log.warning("connection_refused", reason="CONNECTOR_HL7_MAXIMUM_CONNECTIONS are open")
            writer.close()
            return
        self._open.add(task)
        try:
            await self._converse(reader, writer, task)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError) as fault:
            log.info("connection_ended", exception_type=type(fault).__name__)
        except (asyncio.LimitOverrunError, ValueError):
            log.warning("connection_ended", reason=f"a block is larger than {self._largest} bytes, or was not begun")
        finally:
            self._open.discard(task)
            writer.close()

    async def _converse(self, reader: HL7StreamReader, writer: HL7StreamWriter, task: "asyncio.Task[None]") -> None:
        """Blocks one after another, until the sender goes or we stop."""
        while first := await self._next(reader, task):
            if first != _START and first.strip():
                raise ValueError("no block begins here")
            if first != _START:
                continue  # some senders end their blocks with a line of their own
            async with asyncio.timeout(self._seconds):
                block = (await reader.readuntil(_END)).removesuffix(_END)
            # A block that begins anew was cut off before: the sender repeats the first when it hears no answer.
            block = block[block.rfind(_START) + 1 :]
            for answer in await asyncio.to_thread(self._answer, block):
                writer.writeblock(answer)
            async with asyncio.timeout(_SECONDS_FOR_AN_ANSWER):
                await writer.drain()

    async def _next(self, reader: HL7StreamReader, task: "asyncio.Task[None]") -> bytes:
        """The first byte of what comes next; empty when the sender has gone or we stop."""
        if self._stopping is None or self._stopping.is_set():
            return b""
        self._waiting.add(task)
        try:
            return await reader.read(1)
        finally:
            self._waiting.discard(task)
