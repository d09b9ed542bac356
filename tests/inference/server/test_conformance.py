"""The service against its own OpenAPI description, with generated requests."""

import asyncio
from typing import Any

import pytest

pytest.importorskip("transformers")

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from bot.inference.text.prompt import ChatFormat
from tests.inference.scripted_engine import ScriptedEngine
from tests.inference.serving import NAME, loaded, serving
from tests.inference.tokenizers_fixture import SMOLLM2_TEMPLATE, chatml_tokenizer

PLAIN = ChatFormat(chatml_tokenizer(SMOLLM2_TEMPLATE))
ANSWER = [*PLAIN.control_ids("The sky is blue."), min(PLAIN.stop_ids)]
REQUESTS = 60
"""For each operation, and each of valid and invalid requests."""


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
async def test_no_request_makes_the_service_break_or_leave_its_schema(mode: GenerationMode) -> None:
    engine = ScriptedEngine(lambda sequence: ANSWER, slots=4, context=4096)
    async with serving(loaded(PLAIN, engine)) as (_, url):
        await asyncio.to_thread(try_every_operation, url, mode)
    assert engine.running == set()


def try_every_operation(url: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 5
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and operation.method == "get":
            continue  # there is nothing to be wrong in

        @settings(max_examples=REQUESTS, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy(generation_mode=mode), st.booleans())
        def call(case: Case, right_model: bool) -> None:
            if right_model and isinstance(case.body, dict):
                case.body: Any = case.body | {"model": NAME}
            case.call_and_validate()

        call()
