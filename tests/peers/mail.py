"""Mail servers for tests and the demo: pymap (a poor IMAP server: no SPECIAL-USE, no CONDSTORE), Dovecot (a rich
one, where it is installed), an SMTP server that can be told to misbehave, and a tap between a client and any of them.

All servers listen on 127.0.0.1 only. Both IMAP servers have one account and the same few methods.
"""

from __future__ import annotations

import logging
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from imapclient import IMAPClient

logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd warns of its own internals at every login

SECONDS = 20  # to start


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ImapServer:
    """What both servers share: the account `login`/`password` at host:port, without TLS."""

    host = "127.0.0.1"

    def __init__(self, login: str = "sales@firma.test", password: str = "secret", port: int = 0) -> None:
        self.login, self.password = login, password
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> ImapServer:
        raise NotImplementedError

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self):  # type: ignore[no-untyped-def]
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextmanager
    def client(self) -> Iterator[Any]:
        client = IMAPClient(self.host, self.port, ssl=False, timeout=SECONDS)
        try:
            client._imap.debug = 0
            client.normalise_times = False
            client.login(self.login, self.password)
            yield client
            client.logout()
        finally:
            with suppress(OSError):
                client.shutdown()

    def create(self, folder: str) -> None:
        with self.client() as client:
            if not client.folder_exists(folder):
                client.create_folder(folder)

    def delete(self, folder: str) -> None:
        with self.client() as client:
            client.delete_folder(folder)

    def append(self, folder: str, raw: bytes, date: datetime | None = None) -> None:
        """Put a letter into a folder (made if need be); `date` becomes its INTERNALDATE."""
        self.append_all(folder, [raw], date)

    def append_all(self, folder: str, letters: list[bytes], date: datetime | None = None) -> None:
        with self.client() as client:
            if folder != "INBOX" and not client.folder_exists(folder):
                client.create_folder(folder)
            for raw in letters:
                client.append(folder, raw, msg_time=date or datetime.now(UTC))

    def letters(self, folder: str) -> list[bytes]:
        with self.client() as client:
            client.select_folder(folder, readonly=True)
            found = client.fetch(client.search("ALL"), ["BODY.PEEK[]"])
            return [found[uid][b"BODY[]"] for uid in sorted(found)]

    def flags(self, folder: str) -> list[tuple[bytes, ...]]:
        with self.client() as client:
            client.select_folder(folder, readonly=True)
            return [flags for _, flags in sorted(client.get_flags(client.search("ALL")).items())]

    def reset(self) -> None:
        """No letters and no folders but INBOX and Sent (uids go on counting)."""
        with self.client() as client:
            for flags, _, name in sorted(client.list_folders(), key=lambda item: -len(item[2])):
                if b"\\Noselect" in flags:
                    continue
                if name not in ("INBOX", self.sent):
                    client.delete_folder(name)
                    continue
                client.select_folder(name)
                if found := client.search("ALL"):
                    client.delete_messages(found)
                    client.expunge()

    @property
    def sent(self) -> str:
        return "Отправленные"

    def _wait_ready(self) -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"{type(self).__name__} ended while starting")
            with suppress(OSError), socket.create_connection((self.host, self.port), 1) as probe:
                if probe.recv(4).startswith(b"* OK"):
                    return
            time.sleep(0.05)
        raise RuntimeError(f"{type(self).__name__} did not start in {SECONDS} seconds")


class PymapServer(ImapServer):
    """pymap in a process of its own, mail in memory. `restart` keeps nothing and gives other UIDVALIDITYs."""

    def start(self) -> PymapServer:
        program = shutil.which("pymap", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
        if program is None:
            raise RuntimeError("pymap is not installed (dependency group demo)")
        address = ["--host", self.host, "--port", str(self.port), "--no-tls"]
        account = ["dict", "--demo-user", self.login, "--demo-password", self.password]
        self._process = subprocess.Popen(
            [program, *address, *account], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait_ready()
        self.create(self.sent)
        return self

    def restart(self) -> None:
        self.stop()
        self.start()


_DOVECOT = """
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/dovecot.log
info_log_path = {base}/dovecot.log
protocols = {protocols}
listen = 127.0.0.1
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
first_valid_uid = 1
mail_location = maildir:{base}/mail/%n/Maildir
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={base}/mail/%n
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox "Отправленные" {{
    auto = create
    special_use = \\Sent
  }}
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
{lmtp}
"""

_LMTP = """
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


class DovecotServer(ImapServer):
    """Dovecot from a folder of its own (needs root, as Dovecot does). With `openssl` there it speaks TLS too: STARTTLS on
    `port`, TLS on `tls_port`; the certificate (for localhost) is `ca_file`. With `lmtp` it takes letters from a mail
    server on `lmtp_port`; every user name has a mailbox, with the one password."""

    tls_port = 0
    lmtp_port = 0
    ca_file = ""

    def __init__(
        self, program: str, login: str = "sales@firma.test", password: str = "secret", lmtp: bool = False
    ) -> None:
        super().__init__(login, password)
        self.program = program
        self.lmtp_port = free_port() if lmtp else 0
        self.base = Path(tempfile.mkdtemp(prefix="dov", dir="/tmp"))  # a short path: it holds UNIX sockets

    def start(self) -> DovecotServer:
        self.base.chmod(0o755)
        (self.base / "mail").mkdir()
        shutil.chown(self.base / "mail", "mail", "mail")
        certificate = self._certificate()
        config = self.base / "dovecot.conf"
        config.write_text(
            _DOVECOT.format(
                base=self.base,
                port=self.port,
                tls_port=self.tls_port,
                password=self.password,
                ssl="yes" if certificate else "no",
                certificate=certificate,
                protocols="imap lmtp" if self.lmtp_port else "imap",
                lmtp=_LMTP.format(port=self.lmtp_port) if self.lmtp_port else "",
            ),
            encoding="utf-8",
        )
        self._process = subprocess.Popen([self.program, "-F", "-c", str(config)], stderr=subprocess.DEVNULL)
        self._wait_ready()
        return self

    def _certificate(self) -> str:
        openssl = shutil.which("openssl")
        if openssl is None:
            return ""
        key, cert = self.base / "key.pem", self.base / "cert.pem"
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        subprocess.run(
            [openssl, *made, "-keyout", str(key), "-out", str(cert), *names], check=True, capture_output=True
        )
        self.tls_port, self.ca_file = free_port(), str(cert)
        return f"ssl_cert = <{cert}\nssl_key = <{key}"

    def stop(self) -> None:
        super().stop()
        shutil.rmtree(self.base, ignore_errors=True)


class SmtpPeer:
    """An SMTP server in a thread. `state["messages"]` (plain JSON) are the accepted letters.

    `fault(kind, times)`: "reject" (550 for the letter), "later" (451), "reject_to" (550 for an address), "later_to" (450),
    "drop" (accepted, then the connection is cut: a lost answer), "refuse" (cut before anything is accepted).
    `deliver` is called with each accepted letter's bytes; `deliver_to(server, folder)` makes one that puts it into a mailbox.
    """

    def __init__(
        self, login: str = "", password: str = "", deliver: Callable[[bytes], None] | None = None, port: int = 0
    ):
        self.login, self.password, self.deliver = login, password, deliver
        self.host, self.port = "127.0.0.1", port or free_port()
        self.state: dict[str, Any] = self.fresh()
        self.faults: list[dict[str, Any]] = []
        self._controller: Controller | None = None

    def fresh(self) -> dict[str, Any]:
        return {"messages": []}

    def start(self) -> SmtpPeer:
        options: dict[str, Any] = {"enable_SMTPUTF8": True, "server_hostname": "mx.firma.test"}
        if self.login:
            options |= {"authenticator": self._authenticate, "auth_require_tls": False}
        self._controller = Controller(self, hostname=self.host, port=self.port, **options)
        self._controller.start()
        return self

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def __enter__(self) -> SmtpPeer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def reset(self) -> None:
        self.state = self.fresh()
        self.faults.clear()

    def fault(self, kind: str, times: int = 1) -> None:
        self.faults.append({"kind": kind, "times": times})

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.state["messages"])

    def _take(self, *kinds: str) -> str:
        for fault in self.faults:
            if fault["kind"] in kinds and fault["times"] > 0:
                fault["times"] -= 1
                return str(fault["kind"])
        return ""

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        wanted = (self.login.encode(), self.password.encode())
        return AuthResult(success=(data.login, data.password) == wanted, handled=False)

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if self.login and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if self._take("refuse"):
            server.transport.close()
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        kind = self._take("reject_to", "later_to")
        if kind:
            return "550 5.1.1 No such user" if kind == "reject_to" else "450 4.2.0 Greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        kind = self._take("reject", "later", "drop")
        if kind in ("reject", "later"):
            return "550 5.7.1 Refused" if kind == "reject" else "451 4.3.0 Later"
        raw = bytes(envelope.content)
        letter = {"from": envelope.mail_from, "to": list(envelope.rcpt_tos), "raw": raw.decode("latin-1")}
        self.state["messages"].append(letter)
        if self.deliver is not None:
            await server.loop.run_in_executor(None, self.deliver, raw)
        if kind == "drop":
            server.transport.close()
        return "250 OK"


def deliver_to(server: ImapServer, folder: str) -> Callable[[bytes], None]:
    return lambda raw: server.append(folder, raw)


class Tap:
    """A TCP relay in front of a server: what the client said, and connections that are cut or that fall silent."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.said = bytearray()  # all that clients sent
        self.silent = False  # answers are held back from now on, as by a peer that vanished
        self.cut_at: bytes | None = None  # the connection is cut when a client sends this
        self._server = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = "127.0.0.1", int(self._server.getsockname()[1])
        self._closing = False

    def __enter__(self) -> Tap:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._server.close()

    def count(self, what: bytes) -> int:
        return bytes(self.said).count(what)

    def _accept(self) -> None:
        while not self._closing:
            try:
                readable, _, _ = select.select([self._server], [], [], 0.1)
                if not readable:
                    continue
                client, _ = self._server.accept()
            except (OSError, ValueError):
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(self.target) as server:
            while not self._closing:
                readable, _, _ = select.select([client, server], [], [], 0.1)
                for source in readable:
                    data = source.recv(65_536)
                    if not data:
                        return
                    if source is client:
                        self.said += data
                        if self.cut_at is not None and self.cut_at in data:
                            self.cut_at = None
                            return
                        server.sendall(data)
                    elif not self.silent:
                        client.sendall(data)
