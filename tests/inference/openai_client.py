"""OpenAI's own client, of a service on this machine."""

from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from bot.certificates import tls_context


def openai_client(url: str, key: str = "none") -> AsyncOpenAI:
    """A client that tries nothing again; `url` is the service's root."""
    http = DefaultAsyncHttpxClient(verify=tls_context())
    return AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, http_client=http)
