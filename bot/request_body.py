"""The limits of a request's body, in one of our HTTP servers."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive


def bounded(receive: Receive, max_bytes: int, max_values: int, seconds: float) -> Receive:
    """`receive` that raises HTTPException 413 for too large a body, and 408 for a slow one.

    max_values: opening brackets and commas, those in texts included.
    """
    size = values = 0
    complete = False
    deadline = asyncio.get_running_loop().time() + seconds

    async def receive_within() -> Message:
        nonlocal size, values, complete
        if complete:  # what follows is the disconnect, whenever it comes
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"The body did not come within {seconds:g} s") from None
        body = message.get("body", b"")
        size += len(body)
        if size > max_bytes:
            raise HTTPException(413, f"The body is over {max_bytes} bytes")
        values += sum(map(body.count, (b"[", b"{", b",")))
        if values > max_values:
            raise HTTPException(413, f"The body has over {max_values} values")
        complete = not message.get("more_body", False)
        return message

    return receive_within
