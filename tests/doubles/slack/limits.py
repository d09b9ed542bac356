"""Slack's numbers.

https://docs.slack.dev/apis/web-api/rate-limits, https://docs.slack.dev/reference/block-kit/blocks,
https://docs.slack.dev/reference/methods
"""

TEXT = 40_000
"""Characters of a posted text; the rest is cut off."""
UPDATED_TEXT = 4_000
"""Characters of a text in chat.update, which refuses a longer one with msg_too_long."""
MARKDOWN = 12_000
"""Characters of markdown_text, and of all markdown blocks of a message."""
ALL_BLOCKS = 11_000
"""Characters of all blocks of a message together: msg_blocks_too_long."""
BLOCKS, VIEW_BLOCKS = 50, 100
SECTION, FIELD, FIELDS, HEADER = 3_000, 2_000, 10, 150
BUTTON_TEXT, BUTTON_VALUE, OPTION_TEXT, OPTIONS = 75, 2_000, 75, 100
CONFIRM = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
"""https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object"""
IDENTIFIER = 255
ACTIONS, CONTEXT, CONTEXT_ACTIONS = 25, 10, 5
TABLE_ROWS, TABLE_COLUMNS = 100, 20
VIEW_TITLE, PRIVATE_METADATA = 24, 3_000
LOADING_MESSAGES, PROMPTS, SESSION_TITLE = 10, 4, 200
PAGE = 1_000
"""Messages in one answer of conversations.replies and conversations.history."""
CONNECTIONS = 10
RESPONSES = 5
"""How often a response_url can be used."""

TIERS = {1: 1, 2: 20, 3: 50, 4: 100}
"""Calls a minute."""
METHOD_TIERS = {
    "chat.startStream": 2,
    "chat.stopStream": 2,
    "users.conversations": 3,
    "usergroups.list": 2,
    "usergroups.users.list": 2,
    "agents.sessions.setStatus": 3,
    "agents.sessions.rename": 3,
    "chat.delete": 3,
    "chat.update": 3,
    "conversations.history": 3,
    "conversations.info": 3,
    "conversations.open": 3,
    "conversations.replies": 3,
    "reactions.add": 3,
    "reactions.remove": 2,
    "assistant.threads.setTitle": 3,
    "assistant.threads.setSuggestedPrompts": 3,
    "chat.appendStream": 4,
    "chat.postEphemeral": 4,
    "files.info": 4,
    "oauth.v2.access": 4,
    "users.info": 4,
    "views.open": 4,
    "views.publish": 4,
    "views.push": 4,
    "views.update": 4,
}
STATUSES_A_MINUTE = 600
"""assistant.threads.setStatus."""
POSTS = (5, 5.0)
"""chat.postMessage: one a second in a channel, with short bursts."""
