"""Slack's numbers, with the pages of its documentation that they come from."""

PART_LENGTH = 9_000
"""Characters of an answer in one message, escaped. Markdown may have 12,000, but all blocks of a
message break at about 11,000: https://docs.slack.dev/reference/block-kit/blocks/markdown-block"""

PLAIN_LENGTH = 3_000
"""Of an answer in a message without blocks, escaped, and the bot's own lines beside it:
chat.update refuses a text of 4,000: https://docs.slack.dev/reference/methods/chat.update"""

OWN_LENGTH = 900
"""Of the bot's own lines there, escaped."""

TEXT_LENGTH = 3_000
"""Characters of a section, escaped: https://docs.slack.dev/reference/block-kit/blocks/section-block"""

TASK_LENGTH = 256
"""Of a task's output, as Microsoft's SDK has it; Slack's own pages name no number."""

SUMMARY_LENGTH = 600
"""Of what notifications show of a message with blocks; nobody reads more."""

BUTTON_LENGTH = 2_000
"""Of a button's value: https://docs.slack.dev/reference/block-kit/block-elements/button-element"""

INPUT_LENGTH, FORM_INPUTS = 3_000, 50
"""Characters of an input; and of a form's 100 blocks, those that one text may take:
https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element"""

OPEN_SECONDS = 10.0
"""In which Slack must open a form: what it was asked for with is good for three seconds."""

RESPONSES = 5
"""Uses of a response_url, within 30 minutes:
https://docs.slack.dev/interactivity/handling-user-interaction#message_responses"""

HISTORY_SECONDS = 15.0
"""In which what was said before must have come; with what came until then an answer goes on."""

ABOVE_SECONDS, ABOVE_PAUSE_SECONDS = 5.0, 60.0
"""In which what stands above in the channel must have come, which is only context; and how long
Slack isn't asked again after that. Apps outside the Marketplace may ask once a minute, for 15
messages: https://docs.slack.dev/reference/methods/conversations.history"""

STREAM_SECONDS = 240.0
"""Slack ends a stream after about five minutes, even one that is written to."""

STATUS_SECONDS = 90.0
"""A status lapses after two minutes: https://docs.slack.dev/reference/methods/assistant.threads.setStatus"""

SHOW_SECONDS = 5.0
"""In which a status, or Slack's Stop, is set: an answer waits no longer for what is only shown."""

CLEAR_SECONDS = 30.0
"""In which Slack is asked again to take a status away, should it be busy."""

CALLS = {
    "chat.startStream": (5, 20.0),
    "chat.appendStream": (1, 0.75),
    "chat.update": (1, 1.5),
    "agents.sessions.setStatus": (10, 15.0),
}
"""Calls at once, and the seconds in which as many come to be allowed again: in a minute no more
than tier 2 (20), 4 (100) and 3 (50) have, a fifth of which is kept for ends. What shows an answer
while it comes is spaced evenly: https://docs.slack.dev/apis/web-api/rate-limits"""

POSTS, POSTS_SECONDS = 1, 1.1
"""Messages in a channel: one a second (the same page), and the time that one may take longer than
the next one to get there."""

PAGE = 200
"""Messages of a thread or channel in one call; Slack advises no more."""

CHANNELS_PAGE = 999
"""Channels of a person in one call: https://docs.slack.dev/reference/methods/users.conversations"""

DIRECT_MESSAGES, DIRECT_THREADS = 100, 32
"""Of a private conversation, looked through for a question; and those of them whose answers are
read, a call each where they aren't known: tier 3 has 50 a minute."""

SILENCE_SECONDS = 24 * 3600.0
"""After which a private conversation begins again."""

RATE_LIMIT_RETRIES = 30
"""Each waits as long as Slack says."""

FILE_HOSTS = frozenset({"files.slack.com"})
"""Where `url_private` of a file that Slack keeps points to:
https://docs.slack.dev/reference/objects/file-object"""
