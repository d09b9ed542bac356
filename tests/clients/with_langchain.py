"""langchain-openai: structured output by schema and by a function, and tools."""

from asked import KEY, MODEL, QUESTION, URL, Tide, check
from langchain_openai import ChatOpenAI

model = ChatOpenAI(base_url=URL, api_key=KEY, model=MODEL)
check(model.with_structured_output(Tide, method="json_schema").invoke(QUESTION))
check(model.with_structured_output(Tide, method="function_calling").invoke(QUESTION))

message = model.bind_tools([Tide], tool_choice="any").invoke(QUESTION)
assert message.tool_calls
for call in message.tool_calls:
    check(Tide.model_validate(call["args"]))

chunks = list(model.bind_tools([Tide], tool_choice="any").stream(QUESTION))
whole = sum(chunks[1:], chunks[0])
for call in whole.tool_calls:
    check(Tide.model_validate(call["args"]))

responses = ChatOpenAI(base_url=URL, api_key=KEY, model=MODEL, use_responses_api=True)
check(responses.with_structured_output(Tide, method="json_schema").invoke(QUESTION))
