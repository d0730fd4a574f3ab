"""A mail server on loopback: python3 mail_server.py FOLDER PORT MODE.

MODE is plain, starttls or tls. Prints its port. What it does with a message, the file FOLDER/mood says each time: take it, greylist it
(450), refuse it (550), drop (take it, and break off instead of answering), lose (break off before taking it). Messages that were taken are
FOLDER/taken/0.eml and so on, each after a line with its recipient. With TLS the user "keyside" must log in.
"""

import asyncio
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

folder, port, mode = pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
taken = folder / "taken"
taken.mkdir(exist_ok=True)


def mood():
    return (folder / "mood").read_text().strip()


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if mood() == "greylist":
            return "450 4.2.0 Greylisted, try again later"
        if mood() == "refuse":
            return "550 5.1.1 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if mood() != "lose":
            name = taken / f"{len(list(taken.iterdir()))}.eml"
            unfinished = folder / "unfinished"
            unfinished.write_bytes(envelope.rcpt_tos[0].encode() + b"\n" + envelope.content)
            unfinished.rename(name)
        if mood() in ("drop", "lose"):
            server.transport.abort()
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"keyside" and data.password == b"s3cret"
    return AuthResult(success=good)


context = None
if mode != "plain":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem", folder / "server-key.pem")


def connection():
    protected = mode != "plain"
    return SMTP(
        Handler(),
        hostname="mail.example.com",
        tls_context=context if mode == "starttls" else None,
        require_starttls=mode == "starttls",
        authenticator=authenticate if protected else None,
        auth_required=protected,
        # aiosmtpd counts STARTTLS alone as TLS.
        auth_require_tls=mode == "starttls",
        loop=asyncio.get_running_loop(),
    )


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, "127.0.0.1", port, ssl=context if mode == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
