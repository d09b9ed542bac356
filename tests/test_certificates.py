"""Who the bot takes for the host that it wants to reach."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.certificates import tls_context
from bot.client import InferenceClient
from bot.tools.definition import ToolError
from bot.tools.outbound import Outbound, origin_of, parsed_url


def signed_by_itself(folder: Path) -> ssl.SSLContext:
    """A server's certificate for localhost that no authority knows."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_a_host_whose_certificate_no_authority_signed_is_told_nothing(
    tmp_path: Path,
) -> None:
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100))
        writer.close()

    async with await asyncio.start_server(
        hear, "localhost", 0, ssl=signed_by_itself(tmp_path)
    ) as server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        client = InferenceClient(url, "sesame", "model")
        assert not (await client.health()).ready
        await client.close()
        outbound = Outbound(lambda host, count: None, frozenset({origin_of(parsed_url(url))}))
        with pytest.raises(ToolError, match="could not be reached"):
            await outbound.fetch(url, limit=100)
    assert heard == []


async def test_the_authorities_are_read_once_for_all_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tls_context()
    read: list[Any] = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", read.append)
    await InferenceClient("https://localhost", "", "model").close()
    async with Outbound(lambda host, count: None).client():
        pass
    assert read == []
