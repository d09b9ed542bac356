"""openai-agents: a tool that is run, and an output of a type, by both APIs."""

import asyncio

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from asked import KEY, MODEL, QUESTION, URL, Tide, check
from openai import AsyncOpenAI

seen: list[Tide] = []


@function_tool
def tide_at(tide: Tide) -> str:
    """Height of the tide."""
    seen.append(tide)
    return "3.9 m"


async def main() -> None:
    set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=URL, api_key=KEY)
    for model in (
        OpenAIChatCompletionsModel(MODEL, openai_client=client),
        OpenAIResponsesModel(MODEL, openai_client=client),
    ):
        caller = Agent(
            name="caller",
            model=model,
            tools=[tide_at],
            tool_use_behavior="stop_on_first_tool",
            model_settings=ModelSettings(tool_choice="required", parallel_tool_calls=False),
        )
        assert (await Runner.run(caller, QUESTION)).final_output == "3.9 m"
        streamed = Runner.run_streamed(caller, QUESTION)
        async for _ in streamed.stream_events():
            pass
        assert streamed.final_output == "3.9 m"
        parser = Agent(name="parser", model=model, output_type=Tide)
        check((await Runner.run(parser, QUESTION)).final_output)
    assert len(seen) == 4


asyncio.run(main())
