"""A connection of a client to one of our HTTP servers.

uvicorn's own class waits for a request's headers without a limit, doesn't notice when a client that
has sent more than one request leaves, and writes a refusal into the middle of an answer.
"""

import asyncio

import h11
from starlette.responses import PlainTextResponse, Response
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 30.0
"""In which a request's line and headers must have come."""
MAX_EARLY_BYTES = 2**16
"""Of later requests, which may come before the answer to the first has ended (pipelining)."""


class Connection(H11Protocol):
    """Closed when a request's headers have not all come in time, or when nothing comes at all."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        if self.conn.their_state is not h11.MUST_CLOSE:  # else no further request is taken
            super().data_received(data)
        self._watch()

    def handle_events(self) -> None:
        super().handle_events()
        if self.conn.their_state is h11.DONE:  # uvicorn would read no further
            if len(self.conn.trailing_data[0]) > MAX_EARLY_BYTES:
                self.transport.abort()
            else:
                self.flow.resume_reading()

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            refusal = self.refusal(msg)
            headers = [*refusal.raw_headers, (b"Connection", b"close")]
            response = h11.Response(status_code=400, headers=headers, reason="Bad Request")
            for event in (response, h11.Data(data=bytes(refusal.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        if self.cycle:  # what it still has to say would follow the refusal
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def refusal(self, message: str) -> Response:
        """The answer to what isn't HTTP."""
        return PlainTextResponse(message, 400)

    def _watch(self) -> None:
        """Let the time run while headers are missing; it doesn't begin again with each of them."""
        if self._is_answering():
            self._stop_watching()
        elif self._patience is None:
            self._patience = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _stop_watching(self) -> None:
        if self._patience:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if not self._is_answering():
            self.transport.close()

    def _is_answering(self) -> bool:
        return bool(self.cycle and not self.cycle.response_complete)
