"""A scripted server that speaks as vLLM does.

Where it differs from `bot serve`: no place in the queue, reasoning under another name, errors with
numbers for codes and with two forms of body, nothing said of reasoning in the usage, an empty
`/health`. What is not scripted it judges as vLLM does: the model's name, the key, the context.

Its forms are those of vllm/entrypoints/openai/: engine/protocol.py, chat_completion/serving.py and
server_utils.py, and of vllm/renderers/params.py for the context.
"""

from http import HTTPStatus
from typing import Any

from aiohttp import web

from tests.doubles.inference import Error, Say, ScriptedInference

ERROR_TYPES = {400: "BadRequestError", 404: "NotFoundError", 500: "InternalServerError"}


class VllmDouble(ScriptedInference):
    """vLLM; `reasoning_names` and `flat_errors` say which version's dialect it speaks."""

    def __init__(self) -> None:
        super().__init__()
        self.reasoning_names = ["reasoning"]
        """What a delta calls it; `reasoning_content` before, and both for some versions."""
        self.flat_errors = False
        """Whether errors are the body itself, as in older versions."""
        self.model = {
            "id": "openai/gpt-oss-20b",
            "object": "model",
            "created": 0,
            "owned_by": "vllm",
            "root": "openai/gpt-oss-20b",
            "parent": None,
            "max_model_len": 8192,
            "permission": [],
        }

    def opening(self) -> list[dict[str, Any]]:
        return [{"role": "assistant", "content": ""}]

    def delta(self, step: Say) -> dict[str, Any]:
        if step.text:
            return {"content": step.text}
        return dict.fromkeys(self.reasoning_names, step.reasoning)

    def error(self, status: int, code: str, message: str) -> dict[str, Any]:
        number = int(code) if code.isdecimal() else status or 500
        details = {
            "message": message,
            "type": ERROR_TYPES.get(number) or HTTPStatus(number).phrase,
            "param": None,
            "code": number,
        }
        if self.flat_errors and status:
            return {"object": "error", **details}
        return {"error": details}

    def unauthorized(self) -> dict[str, Any]:
        return {"error": "Unauthorized"}

    def usage(self) -> dict[str, Any]:
        return {"prompt_tokens": 10, "total_tokens": 17, "completion_tokens": 7}

    def refusal(self, body: dict[str, Any]) -> Error | None:
        if body["model"] != self.model["id"]:
            return Error(404, message=f"The model `{body['model']}` does not exist.")
        prompt = self.count(body["messages"])
        answer = body.get("max_completion_tokens") or body.get("max_tokens") or 0
        if prompt + answer > self.model["max_model_len"]:
            return Error(
                400,
                message=f"This model's maximum context length is {self.model['max_model_len']} "
                f"tokens. However, you requested {answer} output tokens and your prompt contains "
                f"at least {prompt} input tokens, for a total of at least {prompt + answer} "
                "tokens. Please reduce the length of the input prompt or the number of requested "
                "output tokens.",
            )
        return None

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.ready else 503)
