"""What a model may call: built-in tools, the web and MCP servers."""

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from bot.config.schema.values import (
    CommandLine,
    HeaderValue,
    Ids,
    OptionalWebAddress,
    Secret,
    Section,
)


class ToolsConfig(Section):
    """What a model may call in one answer; `max_calls` 0: nothing."""

    max_calls: int = Field(8, ge=0, le=100)
    timeout_seconds: float = Field(30, gt=0, le=600)


class WebConfig(Section):
    """Where the web is searched; with `search` none, models can't reach it at all."""

    search: Literal["none", "searxng", "brave"] = "none"
    url: OptionalWebAddress = ""
    api_key: Secret = SecretStr("")
    fetch: bool = True

    @model_validator(mode="after")
    def _engine_is_reachable(self) -> "WebConfig":
        if self.search == "searxng" and not self.url:
            raise ValueError("allowed: search: searxng with the url of a SearXNG")
        if self.search == "brave" and not self.api_key.get_secret_value():
            raise ValueError("allowed: search: brave with an api_key")
        return self


class McpConfig(Section):
    """An MCP server: which of its tools may be used, by whom and where, and what needs a button.

    Where `servers`, `channels` or `roles` have entries, each kind has to be met.
    """

    url: OptionalWebAddress = Field(
        "", description="where it is, such as http://127.0.0.1:9000/mcp; or command"
    )
    headers: dict[str, HeaderValue] = Field({}, description="with url: what each request carries")
    command: CommandLine = Field(
        [], description="the program that it is, with its arguments; or url"
    )
    env: dict[str, SecretStr] = Field(
        {}, description="with command: variables that the program gets beside PATH and HOME"
    )
    allow: list[str] = Field([], description="its tools that models may call, by their names")
    approve: Literal["always", "writes", "never"] = Field(
        "writes", description="which calls need the asker's button"
    )
    servers: Ids = Field(frozenset(), description="only on these servers, if there are some")
    channels: Ids = Field(frozenset(), description="only in these channels, if there are some")
    roles: Ids = Field(frozenset(), description="only for these roles, if there are some")

    @model_validator(mode="after")
    def _one_way(self) -> "McpConfig":
        if bool(self.url) == bool(self.command):
            raise ValueError("allowed: url or command, and one of them")
        return self
