"""The certificates of authorities that the bot trusts as a client, read once.

Reading the system's file takes 50 ms, for which everything on the event loop would wait.
"""

import ssl
from functools import cache

import httpx2


@cache
def tls_context() -> ssl.SSLContext:
    """What httpx makes for each client that is given none."""
    return httpx2.create_ssl_context(trust_env=False)
