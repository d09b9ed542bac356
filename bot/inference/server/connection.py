"""A connection of a client; uvicorn's own waits for a request's headers without an end."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 30.0
"""In which a request's line and headers must have come."""


class Connection(H11Protocol):
    """Closed when what it began to send is no request in time, or when it sends nothing at all."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Let the time run while headers are missing; more of them don't start it anew."""
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
