"""A forward proxy between the bot and the doubles."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import yarl


class ProxyDouble:
    """Passes on what is asked in absolute form (RFC 9112, 3.2.2), or refuses with `refuse`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """Method and address of each request."""
        self.credentials: set[str] = set()
        """The values of Proxy-Authorization."""
        self.refuse = ""
        """A status line's end, such as `502 Bad Gateway`."""
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ProxyDouble"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, address, version = head.split("\r\n", 1)[0].split(" ")
            self.asked.append(f"{method} {address}")
            lines = head.split("\r\n")[1:-2]
            for line in lines:
                if line.lower().startswith("proxy-authorization:"):
                    self.credentials.add(line.partition(": ")[2])
            if self.refuse:
                writer.write(f"HTTP/1.1 {self.refuse}\r\nContent-Length: 0\r\n\r\n".encode())
                writer.close()
                return
            url = yarl.URL(address)
            there, back = await asyncio.open_connection(url.host, url.port)
            kept = [line for line in lines if not line.lower().startswith("proxy-")]
            if "upgrade" not in head.lower():  # so that each request comes by a connection
                kept = [x for x in kept if not x.lower().startswith("connection:")]
                kept.append("Connection: close")
            request = "\r\n".join([f"{method} {url.raw_path_qs} {version}", *kept, "", ""])
            back.write(request.encode("latin-1"))
            await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))


async def _pass_on(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
