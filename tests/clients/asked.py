"""What every client here asks for: a call, or JSON, that a random model can finish."""

import os
from typing import Literal

from pydantic import BaseModel, Field

URL = os.environ["BASE_URL"]
MODEL = os.environ["MODEL"]
KEY = "sk-none"
QUESTION = "How high is the tide at Heron Point at six?"


class Tide(BaseModel):
    """Height of the tide."""

    place: Literal["Heron Point", "Crane Bay"]
    hour: int = Field(ge=0, le=23)


def check(tide: Tide) -> None:
    assert isinstance(tide, Tide), tide
    assert 0 <= tide.hour <= 23
