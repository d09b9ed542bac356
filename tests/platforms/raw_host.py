"""A host that writes raw HTTP: what no well-behaved server would."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

Answer = Callable[[bytes], AsyncIterator[bytes]]


class Host:
    """A server that writes raw HTTP, and what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.requests: list[str] = []
        self.sent = 0
        self.connections = 0

    async def __aenter__(self) -> "Host":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError):
            request = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(request.decode())
            async for piece in self._answer(request):
                writer.write(piece)
                await writer.drain()
                self.sent += len(piece)
        writer.close()


def answering(head: str, *body: bytes) -> Answer:
    async def answer(_request: bytes) -> AsyncIterator[bytes]:
        yield f"HTTP/1.1 {head}\r\nConnection: close\r\n\r\n".encode()
        for piece in body:
            yield piece

    return answer
