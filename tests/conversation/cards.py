"""Character cards, as JSON and in pictures."""

import base64
import json
import struct
import zlib
from typing import Any

ARIA: dict[str, Any] = {
    "name": "Aria of the Isles",
    "description": "{{char}} keeps the lighthouse. She likes {{User}}.{{// note to self}}",
    "personality": "calm",
    "scenario": "<USER> washes ashore.",
    "first_mes": "*{{char}} waves.* Ahoy, {{user}}!",
    "mes_example": "<START>\n{{user}}: Hi\n{{char}}: Ahoy!",
}


def card(version: int = 2, **more: Any) -> dict[str, Any]:
    data = ARIA | more
    if version == 1:
        return data
    return {"spec": f"chara_card_v{version}", "spec_version": f"{version}.0", "data": data}


def as_json(card: object) -> bytes:
    return json.dumps(card).encode()


def as_picture(**cards: object) -> bytes:
    """A picture of one pixel with cards in text chunks after it, by their keywords."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\0")),
    ]
    for keyword, content in cards.items():
        text = base64.b64encode(as_json(content))
        chunks.append((b"tEXt", keyword.encode() + b"\0" + text))
    chunks.append((b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )
