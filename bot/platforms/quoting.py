"""Somebody else's words within a message, marked as such for the model."""


def quoted(mark: str, text: str) -> str:
    """`text` as a quotation headed by `mark`, such as "forwarded message"; nothing for no text."""
    if not text:
        return ""
    return "\n".join([f"[{mark}]", *(f"> {line}".rstrip() for line in text.splitlines())])
