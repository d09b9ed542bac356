"""openai: parse, tools, streams, and the Responses API."""

from asked import KEY, MODEL, QUESTION, URL, Tide, check
from openai import OpenAI, pydantic_function_tool

client = OpenAI(base_url=URL, api_key=KEY)
messages = [{"role": "user", "content": QUESTION}]

parsed = client.chat.completions.parse(model=MODEL, messages=messages, response_format=Tide)
check(parsed.choices[0].message.parsed)

tools = [pydantic_function_tool(Tide)]
called = client.chat.completions.parse(
    model=MODEL, messages=messages, tools=tools, tool_choice="required", parallel_tool_calls=False
)
(call,) = called.choices[0].message.tool_calls
check(call.function.parsed_arguments)
assert called.choices[0].finish_reason == "tool_calls"

messages += [
    called.choices[0].message.model_dump(exclude={"parsed"}, exclude_none=True),
    {"role": "tool", "tool_call_id": call.id, "content": "3.9 m"},
]
answer = client.chat.completions.create(model=MODEL, messages=messages, tools=tools, max_tokens=40)
assert answer.choices[0].finish_reason in ("stop", "length", "tool_calls")

with client.chat.completions.stream(
    model=MODEL, messages=messages[:1], tools=tools, tool_choice="required"
) as stream:
    kinds = {event.type for event in stream}
assert "tool_calls.function.arguments.done" in kinds
for call in stream.get_final_completion().choices[0].message.tool_calls:
    check(call.function.parsed_arguments)

response = client.responses.parse(model=MODEL, input=QUESTION, text_format=Tide)
check(response.output_parsed)
function = {
    "type": "function",
    "name": "Tide",
    "parameters": Tide.model_json_schema(),
    "strict": True,
}
with client.responses.stream(
    model=MODEL,
    input=QUESTION,
    tools=[function],
    tool_choice="required",
    parallel_tool_calls=False,
) as stream:
    kinds = [event.type for event in stream]
assert kinds[0] == "response.created"
assert kinds[-1] == "response.completed"
(item,) = stream.get_final_response().output
check(Tide.model_validate_json(item.arguments))
