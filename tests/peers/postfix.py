"""A Postfix of its own: an instance in a temporary folder, on a port of 127.0.0.1, beside whatever runs on the machine.

It takes letters for its domains and hands them over LMTP to a mailbox server; every other domain is refused at RCPT. Its
queue, data, log and settings lie in one folder, which is removed at the end. Needs root, as Postfix does.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.peers.mail import free_port

SECONDS = 20  # to start, and to stop

_MAIN = """
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
maillog_file = {base}/mail.log
maillog_file_prefixes = {base}
multi_instance_enable = no
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.firma.test
mydestination =
mynetworks =
local_transport = error:no local mailboxes
default_transport = error:no outside delivery
relay_transport = error:no outside delivery
virtual_mailbox_domains = {domains}
virtual_transport = lmtp:inet:127.0.0.1:{lmtp_port}
lmtp_destination_recipient_limit = 1
smtpd_relay_restrictions = reject_unauth_destination
local_recipient_maps =
alias_maps =
alias_database =
smtpd_peername_lookup = no
disable_dns_lookups = yes
lmtp_host_lookup = native
smtpd_tls_security_level = none
smtputf8_enable = yes
default_process_limit = 5
"""

# service, type, private, unprivileged, chroot, wakeup, maxproc, command (see master(5))
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix      n - n 60 1 pickup
cleanup   unix      n - n - 0 cleanup
qmgr      unix      n - n 300 1 qmgr
rewrite   unix      - - n - - trivial-rewrite
bounce    unix      - - n - 0 bounce
defer     unix      - - n - 0 bounce
trace     unix      - - n - 0 bounce
verify    unix      - - n - 1 verify
flush     unix      n - n 1000? 0 flush
proxymap  unix      - - n - - proxymap
proxywrite unix     - - n - 1 proxymap
showq     unix      n - n - - showq
error     unix      - - n - - error
retry     unix      - - n - - error
discard   unix      - - n - - discard
lmtp      unix      - - n - - lmtp
anvil     unix      - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""


class PostfixServer:
    """`domains` are delivered to the LMTP server at 127.0.0.1:`lmtp_port`; `host` and `port` take letters, without TLS."""

    host = "127.0.0.1"

    def __init__(self, program: str, lmtp_port: int, domains: list[str]) -> None:
        self.program, self.lmtp_port, self.domains = program, lmtp_port, domains
        self.port = free_port()
        self.base = Path(tempfile.mkdtemp(prefix="pfx", dir="/tmp"))  # a short path: it holds UNIX sockets
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> PostfixServer:
        self.base.chmod(0o755)
        for name in ("conf", "queue", "data"):
            (self.base / name).mkdir()
        shutil.chown(self.base / "data", "postfix")
        main = _MAIN.format(base=self.base, domains=" ".join(self.domains), lmtp_port=self.lmtp_port)
        (self.base / "conf" / "main.cf").write_text(main, encoding="utf-8")
        (self.base / "conf" / "master.cf").write_text(_MASTER.format(port=self.port), encoding="utf-8")
        # in the foreground and a group of its own, so that nothing of it can outlive `stop`
        self._process = subprocess.Popen(
            [*self._command(), "start-fg"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(subprocess.TimeoutExpired, OSError):
                subprocess.run([*self._command(), "stop"], capture_output=True, timeout=SECONDS, check=False)
            with suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS)
            with suppress(ProcessLookupError):  # what is left of the group
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(self.base, ignore_errors=True)

    def __enter__(self) -> PostfixServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def log(self) -> str:
        """What it has written down so far."""
        path = self.base / "mail.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def queued(self) -> int:
        """Letters that are neither delivered nor returned yet."""
        queues = ("maildrop", "incoming", "active", "deferred", "hold")
        return sum(path.is_file() for name in queues for path in (self.base / "queue" / name).rglob("*"))

    def _command(self) -> list[str]:
        return [self.program, "-c", str(self.base / "conf")]

    def _wait_ready(self) -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"Postfix ended while starting: {self.log()[-1000:]}")
            with suppress(OSError), socket.create_connection((self.host, self.port), 1) as probe:
                probe.settimeout(5)
                if probe.recv(4).startswith(b"220"):
                    probe.sendall(b"QUIT\r\n")
                    return
            time.sleep(0.05)
        raise RuntimeError(f"Postfix did not start in {SECONDS} seconds: {self.log()[-1000:]}")
