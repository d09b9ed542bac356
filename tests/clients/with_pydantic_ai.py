"""pydantic-ai: an output by a tool, by a schema, and by the Responses API."""

from asked import KEY, MODEL, QUESTION, URL, Tide, check
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url=URL, api_key=KEY)
for model in (
    OpenAIChatModel(MODEL, provider=provider),
    OpenAIResponsesModel(MODEL, provider=provider),
):
    check(Agent(model, output_type=Tide).run_sync(QUESTION).output)
    check(Agent(model, output_type=NativeOutput(Tide)).run_sync(QUESTION).output)
