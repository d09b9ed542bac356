"""gpt-oss's own browser: tools that it was trained on, in the very form that it was trained on.

They stand in the system message, in the template's words, not among the functions; calls go to
`browser.search` on the channel `analysis`, and results come back as they are.
https://github.com/openai/harmony/blob/main/docs/format.md#browser-tool
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

NAME = "browser"
"""What templates call it, in `builtin_tools`."""
_PARAMETERS = {
    f"{NAME}.search": {"query", "topn", "source"},
    f"{NAME}.open": {"id", "cursor", "loc", "num_lines", "view_source", "source"},
    f"{NAME}.find": {"pattern", "cursor"},
}
_CALL = re.compile(
    rf"<\|start\|>assistant to=functions\.({NAME}\.\w+)<\|channel\|>commentary json<\|message\|>"
)
_RESULT = re.compile(
    rf"<\|start\|>functions\.({NAME}\.\w+) to=assistant<\|channel\|>commentary"
    r'<\|message\|>"(xTYPED\d+TEXTx)"'
)


def is_known_to(template: str) -> bool:
    """Whether a chat template has the browser."""
    return "builtin_tools" in template and f"namespace {NAME}" in template


def own_tools(tools: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The names of the browser's tools, if the whole browser is among `tools`: else none.

    It is known by names and parameters; other tools of these names are functions.
    """
    found = {
        tool["name"] for tool in tools if _parameters_of(tool) == _PARAMETERS.get(tool["name"])
    }
    return frozenset(found) if found == set(_PARAMETERS) else frozenset()


def _parameters_of(tool: Mapping[str, Any]) -> set[str]:
    properties = (tool.get("parameters") or {}).get("properties")
    return set(properties) if isinstance(properties, Mapping) else set()


def as_trained(rendered: str) -> str:
    """What a template rendered, with calls of the browser and their results in its own form.

    A template has only functions' form for them. Results are placeholders yet, in quotes.
    """
    rendered = _CALL.sub(r"<|start|>assistant<|channel|>analysis to=\1 code<|message|>", rendered)
    return _RESULT.sub(r"<|start|>\1 to=assistant<|channel|>analysis<|message|>\2", rendered)
