"""A running `telsiz serve`, for the suites in Python."""

import os
import pathlib
import resource
import signal
import socket
import ssl
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TELSIZ_BIN", str(ROOT / "target/release/telsiz"))
CERTIFICATES = pathlib.Path(os.environ.get("TELSIZ_CERTIFICATES", str(ROOT / "target/tools/certificates")))

# 16 MiB: what the tests with large messages start the server with.
LARGE = ("--max-message-size", str(16 * 1024 * 1024))
MIB = 1024 * 1024

# How long a server may take to start or to stop, in seconds.
PATIENCE = 15


class Server:
    """One server process on a free port of loopback, in a folder of its own.

    With `largest_file` it cannot write files of more bytes, as if its disk were full."""

    def __init__(self, *arguments: str, tls: bool = False, largest_file: int | None = None) -> None:
        self.tls = tls
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="telsiz-test-")
        self.command = [BINARY, "serve", *arguments, "--listen", f"127.0.0.1:{self.port}"]
        if tls:
            self.command += ["--tls-cert", str(CERTIFICATES / "server.pem"), "--tls-key", str(CERTIFICATES / "server.key")]
        self.log = open(pathlib.Path(self.folder.name) / "log", "w+b")
        self.largest_file = largest_file
        try:
            self.start()
        except RuntimeError:
            self.close()
            raise

    def start(self) -> None:
        """Starts the process, or another one like it in its place."""
        self.process = subprocess.Popen(
            self.command,
            preexec_fn=self._limit_files if self.largest_file else None,
            cwd=self.folder.name,
            env={name: value for name, value in os.environ.items() if not name.startswith("TELSIZ_")},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        self._wait_until_it_listens()

    def _limit_files(self) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.largest_file, self.largest_file))

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.connection().close()
                return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server does not listen on port {self.port}; it said:\n{self.said()}")
            time.sleep(0.005)

    def url(self, path: str = "/") -> str:
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{self.port}{path}"

    def http(self, path: str = "/") -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{path}"

    @property
    def ssl(self) -> ssl.SSLContext | None:
        """What a client needs to trust this server; nothing for a plain one."""
        return ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem")) if self.tls else None

    def connection(self) -> socket.socket:
        """A bare TCP connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def vanish(self) -> None:
        """Ends the process as a crash would: no close frame, nothing flushed."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> None:
        """Asks the process to stop. `stopped` waits for it."""
        self.process.send_signal(signal.SIGTERM)

    def stopped(self) -> int:
        return self.process.wait(PATIENCE)

    def stop(self) -> None:
        """Stops the process as it should be."""
        self.terminate()
        self.stopped()

    def close(self) -> None:
        self.vanish()
        self.log.close()
        self.folder.cleanup()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
