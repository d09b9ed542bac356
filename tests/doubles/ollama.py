"""A scripted server that speaks as Ollama does at its OpenAI-compatible address.

Where it differs from `bot serve`: no place in the queue, reasoning under `reasoning` in deltas
whose `content` is "", the role in each delta, whole calls in one delta, no details in the usage, no
context told, and no `/health`, `/metrics` or `/tokenize`. A prompt that is too long it cuts without
a word. A model without tools, or one that is not there, is an error.

Its forms are those of openai/openai.go and middleware/openai.go in github.com/ollama/ollama.
"""

import json
from typing import Any

from aiohttp import web

from tests.doubles.inference import Call, Error, Say, ScriptedInference

EFFORTS = ("high", "medium", "low", "none")


class OllamaDouble(ScriptedInference):
    def __init__(self) -> None:
        super().__init__()
        self.counts_tokens = False
        self.calls_tools = True
        """Whether the model can; Ollama looks for them in its template."""
        self.model = {"id": "gpt-oss:20b", "object": "model", "created": 0, "owned_by": "library"}

    def delta(self, step: Say) -> dict[str, Any]:
        delta: dict[str, Any] = {"role": "assistant", "content": step.text}
        return delta | ({"reasoning": step.reasoning} if step.reasoning else {})

    def call_deltas(self, call: Call, index: int, id: str) -> list[dict[str, Any]]:
        function = {"name": call.name, "arguments": json.dumps(call.arguments)}
        whole = {"id": id, "index": index, "type": "function", "function": function}
        return [{"role": "assistant", "content": "", "tool_calls": [whole]}]

    def error(self, status: int, code: str, message: str) -> dict[str, Any]:
        kinds = {400: "invalid_request_error", 404: "not_found_error"}
        kind = kinds.get(status, "api_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def usage(self) -> dict[str, Any]:
        return {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17}

    def refusal(self, body: dict[str, Any]) -> Error | None:
        if body["model"] != self.model["id"]:
            return Error(404, message=f"model '{body['model']}' not found")
        if body.get("tools") and not self.calls_tools:
            return Error(400, message=f"registry/library/{body['model']} does not support tools")
        if (effort := body.get("reasoning_effort", "none")) not in EFFORTS:
            return Error(400, message=f"invalid reasoning value: '{effort}'")
        return None

    async def _health(self, _: web.Request) -> web.Response:
        raise web.HTTPNotFound
