"""Discord's numbers, with the pages of its documentation that they come from."""

CONTENT_LENGTH = 2000
"""Characters of a message: https://docs.discord.com/developers/resources/message"""

EMBED_LENGTH = 4096
"""Characters of an embed's description: the same page."""

EDITS, EDITS_SECONDS = 5, 5.0
"""Edits in a channel, as its bucket showed; the headers tell, and discord.py waits for them:
https://docs.discord.com/developers/topics/rate-limits"""

REQUESTS_A_SECOND = 40
"""For all channels together; Discord allows 50: the same page."""

EDITABLE_SECONDS = 3300.0
"""Messages over an hour old take few edits (error 30046), so an older one is sent as new ones."""

THREAD_NAME_LENGTH = 100
"""https://docs.discord.com/developers/resources/channel"""

TEXT_INPUT_LENGTH, FORM_INPUTS = 4000, 5
"""Characters of an input, and inputs of a form:
https://docs.discord.com/developers/components/reference"""

CHOICES = 25
"""https://docs.discord.com/developers/interactions/application-commands"""

PAGE = 100
"""Messages that one request returns: https://docs.discord.com/developers/resources/message"""

HISTORY_SECONDS = 15.0
"""In which what was said before must have come; with what came until then an answer goes on."""

FILE_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
"""Where attachments are: https://docs.discord.com/developers/reference#image-formatting"""
