"""litellm: a call, whole and streamed, and JSON that keeps to a schema."""

import litellm
from asked import KEY, MODEL, QUESTION, URL, Tide, check

options = {"model": f"openai/{MODEL}", "api_base": URL, "api_key": KEY}
options["messages"] = [{"role": "user", "content": QUESTION}]
function = {"name": "tide", "parameters": Tide.model_json_schema(), "strict": True}
tools = {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}

called = litellm.completion(**options, **tools)
for call in called.choices[0].message.tool_calls:
    check(Tide.model_validate_json(call.function.arguments))

chunks = list(litellm.completion(**options, **tools, stream=True))
built = litellm.stream_chunk_builder(chunks)
for call in built.choices[0].message.tool_calls:
    check(Tide.model_validate_json(call.function.arguments))

parsed = litellm.completion(**options, response_format=Tide)
check(Tide.model_validate_json(parsed.choices[0].message.content))
