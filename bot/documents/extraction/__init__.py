"""One format a file: `extract` gives a file's text piece by piece. Raises UnreadableFile."""
