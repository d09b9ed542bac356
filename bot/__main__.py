"""`python -m bot` is the command `bot`."""

from bot.cli import app

app()
