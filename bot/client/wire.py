"""The base of the models that read a server's answers."""

from pydantic import BaseModel, ConfigDict


class WireModel(BaseModel):
    """A part of an answer. Its validator is built when the first answer comes, not at import."""

    model_config = ConfigDict(defer_build=True)
