"""The service against its own OpenAPI description, with generated requests."""

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
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
RULES = Path(__file__).with_name("schemathesis.toml")
few_or_many = pytest.mark.parametrize(
    "requests", [3, pytest.param(60, marks=pytest.mark.slow)], ids=["few", "many"]
)
"""For each operation and way of making them up."""


@few_or_many
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
async def test_no_request_makes_the_service_break_or_leave_its_schema(
    mode: GenerationMode, requests: int
) -> None:
    engine = ScriptedEngine(lambda sequence: ANSWER, slots=4, context=4096)
    async with serving(loaded(PLAIN, engine)) as (_, url):
        await asyncio.to_thread(try_every_operation, url, mode, requests)
    assert engine.running == set()


@pytest.mark.slow
async def test_every_phase_and_check_of_schemathesis_finds_nothing(tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda sequence: ANSWER, slots=4, context=4096)
    program = Path(sys.executable).with_name("schemathesis")
    command = [program, "--config-file", RULES, "run"]
    options = ["--checks=all", "--mode=all", "--max-examples=60", "--no-color"]
    key = ["--header", "Authorization: Bearer sk-right"]
    async with serving(loaded(PLAIN, engine), api_key="sk-right") as (_, url):
        process = await asyncio.create_subprocess_exec(
            *command,
            f"{url}/openapi.json",
            *options,
            *key,
            cwd=tmp_path,
            stdout=PIPE,
            stderr=STDOUT,
        )
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


def try_every_operation(url: str, mode: GenerationMode, requests: int) -> None:
    config = schemathesis.Config.from_path(RULES)
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 9
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and operation.method == "get":
            continue  # there is nothing to be wrong in

        @settings(max_examples=requests, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy(generation_mode=mode), st.booleans())
        def call(case: Case, right_model: bool) -> None:
            if right_model and isinstance(case.body, dict):
                case.body: Any = case.body | {"model": NAME}
            case.call_and_validate()

        call()
