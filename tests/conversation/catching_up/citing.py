"""A model that cites, and what it was asked."""

import re
from typing import Any

from tests.doubles.inference import Say, Script, ScriptedInference

NUMBER = re.compile(r"^\[(\d+)\] ", re.MULTILINE)


class Citing(ScriptedInference):
    """Cites the first and the last message of each part, and all that notes cite."""

    def script_for(self, request: dict[str, Any]) -> Script:
        if self.scripts:
            return self.scripts.popleft()
        text = request["messages"][-1]["content"]
        numbers = NUMBER.findall(text)
        cited = [numbers[0], numbers[-1]] if numbers else re.findall(r"\[(\d+)\]", text)
        points = [f"- Something was said [{number}]." for number in dict.fromkeys(cited)]
        return [Say("\n".join(points) or "- Nothing much.")]


def parts_of(inference: ScriptedInference) -> list[list[int]]:
    """The numbers of the messages in each request that has some."""
    found = [[*map(int, NUMBER.findall(prompt[-1]["content"]))] for prompt in inference.prompts]
    return [numbers for numbers in found if numbers]
