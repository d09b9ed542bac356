"""Which models there are by name, and getting their files onto this machine."""
