"""Files as text: bytes and a name become text with pages and sheets named.

`kinds.py` says what a file is, `reading.py` reads it. Formats that need a parser are read in a
process of their own (`python -m bot.documents`), with limits of memory and time: a parser that a
file can crash, blow up or take over has nothing of the bot's there. Only that process imports
`extraction/` and its libraries.
"""
