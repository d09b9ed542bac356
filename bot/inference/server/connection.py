"""A connection of a client: what isn't HTTP is refused in OpenAI's form."""

from starlette.responses import JSONResponse, Response

from bot.connection import Connection
from bot.inference.server.errors import ApiError


class ApiConnection(Connection):
    """See Connection."""

    def refusal(self, message: str) -> Response:
        """The answer to what isn't HTTP."""
        return JSONResponse(ApiError(400, message).body(), 400)
