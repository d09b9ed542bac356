"""instructor: the model's answer as an object, by tools and by a schema."""

import instructor
from asked import KEY, MODEL, QUESTION, URL, Tide, check
from openai import OpenAI

for mode in (instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA):
    client = instructor.from_openai(OpenAI(base_url=URL, api_key=KEY), mode=mode)
    check(
        client.chat.completions.create(
            model=MODEL,
            response_model=Tide,
            max_retries=0,
            messages=[{"role": "user", "content": QUESTION}],
        )
    )
