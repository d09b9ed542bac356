"""What of a server's answers is read."""

from pydantic import BaseModel, ConfigDict


class WireModel(BaseModel):
    """A part of an answer. Its reader is built when the first one comes, with the whole's."""

    model_config = ConfigDict(defer_build=True)
