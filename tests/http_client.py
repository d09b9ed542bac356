"""HTTP clients of servers on this machine, whatever proxy the environment names."""

from typing import Any

import httpx2

from bot.certificates import tls_context
from tests.waiting import HANG_SECONDS


def http_client(url: str = "", **options: Any) -> httpx2.AsyncClient:
    """A client; `url` is what paths are added to."""
    return httpx2.AsyncClient(
        base_url=url, trust_env=False, timeout=HANG_SECONDS, verify=tls_context(), **options
    )
