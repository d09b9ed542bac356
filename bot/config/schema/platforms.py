"""Discord and Slack."""

from typing import Annotated

from pydantic import Field, SecretStr, model_validator

from bot.config.schema.values import (
    CommandPrefix,
    OptionalAddress,
    Secret,
    Section,
    TokenKeys,
    WebAddress,
)


class DiscordConfig(Section):
    token: Secret = SecretStr("")
    api_url: WebAddress = "https://discord.com/api/v10"
    file_above_characters: int | None = Field(None, ge=2000)
    shard_count: int | None = Field(None, ge=1)
    shard_ids: list[Annotated[int, Field(ge=0)]] = Field([])

    @model_validator(mode="after")
    def _shards_in_count(self) -> "DiscordConfig":
        if self.shard_ids and (not self.shard_count or max(self.shard_ids) >= self.shard_count):
            raise ValueError("allowed: shard_ids from 0 to shard_count - 1")
        return self


class SlackConfig(Section):
    bot_token: Secret = SecretStr("")
    app_token: Secret = SecretStr("")
    signing_secret: Secret = SecretStr("")
    client_id: str = ""
    client_secret: Secret = SecretStr("")
    token_key: TokenKeys = SecretStr("")
    api_url: WebAddress = "https://slack.com/api/"
    listen: OptionalAddress = ""
    thread_mentions: bool = False
    """As defaults.thread_mentions, which holds for Discord too."""
    command_prefix: CommandPrefix = "bot-"
    moderator_groups: frozenset[str] = frozenset()

    @property
    def problems(self) -> list[str]:
        """What is missing for what is set; one line each."""
        found = []
        if not self.app_token.get_secret_value() and not self.listen:
            found.append(
                "slack: set slack.app_token (Socket Mode), or slack.listen and"
                " slack.signing_secret (HTTP)"
            )
        if self.listen and not self.signing_secret.get_secret_value():
            found.append("slack.listen needs slack.signing_secret, to know who calls")
        if not self.bot_token.get_secret_value() and not self.token_key.get_secret_value():
            found.append(
                "slack.client_id needs slack.token_key, which encrypts the workspaces' tokens:"
                " make one with `openssl rand -base64 32` and keep it in SLACK_TOKEN_KEY"
            )
        return found

    @property
    def is_set(self) -> bool:
        """Whether there is Slack: one workspace's token, or the app's own id for many."""
        return bool(self.bot_token.get_secret_value() or self.client_id)
