"""The real inference service with a held engine: one person is served, one waits, it is full."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Self

import pytest

pytest.importorskip("transformers")

from bot.inference.engines.base import Sequence
from bot.inference.text.prompt import ChatFormat
from tests.inference.scripted_engine import ScriptedEngine
from tests.inference.serving import loaded, serving
from tests.inference.tokenizers_fixture import SMOLLM2_TEMPLATE, chatml_tokenizer

FORMAT = ChatFormat(chatml_tokenizer(SMOLLM2_TEMPLATE))
ANSWER = [*FORMAT.control_ids("Hello you"), min(FORMAT.stop_ids)]


class BusyService:
    """Answers "Hello you", once it `may_go_on`."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        engine = ScriptedEngine(self._answer)
        async with serving(loaded(FORMAT, engine), queue_limit=1) as (_, self.url):
            try:
                yield self
            finally:
                self.may_go_on.set()  # a held step would outlive the service

    def _answer(self, sequence: Sequence) -> Iterator[int]:
        self.may_go_on.wait()
        yield from ANSWER
