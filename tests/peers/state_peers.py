"""Redis and PostgreSQL of the test run's own, on free loopback ports, with the durability a hospital would set."""

import fcntl
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Below what the kernel gives to those that ask for any port (32768 on), among them every client's own end.
_FIRST_PORT, _PORTS = 12000, 20000
_NEXT_PORT = Path(tempfile.gettempdir()) / f"connector-tests-next-port-{os.getuid()}"


def free_port() -> int:
    """
    A loopback port for a server that starts later.

    Test processes count on in one file, so that none of them is given it too, and nobody who asks for any free port
    gets it in the meantime.
    """
    with _NEXT_PORT.open("a+") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        number = int(counter.read() or 0)
        while True:
            port, number = _FIRST_PORT + number % _PORTS, number + 1
            with socket.socket() as probe, suppress(OSError):
                probe.bind(("127.0.0.1", port))
                break
        counter.truncate(0)
        counter.write(str(number))
        counter.flush()
        return port


def wait_until(ready: Callable[[], bool], *, seconds: float, what: str, every_seconds: float = 0.05) -> None:
    """Wait for a condition, or fail with what was waited for."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {seconds} s")
        time.sleep(every_seconds)


def answers(port: int) -> bool:
    """Whether something listens on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def redis_server(folder: Path, port: int | None = None) -> Iterator[tuple[str, subprocess.Popen]]:
    """A Redis without persistence, so that killing it loses everything it holds; yields its URL and process."""
    port = port or free_port()
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(port), seconds=20, what="the start of Redis")
        yield f"redis://127.0.0.1:{port}/0", process
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """A PostgreSQL cluster of its own; yields an SQLAlchemy URL."""
    (binaries,) = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
    port = free_port()
    cluster = folder / "cluster"
    as_user: list[str] = []
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root; Debian's package made this user.
        owner = pwd.getpwnam("postgres")
        as_user = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        cluster = Path(f"/tmp/connector-test-postgres-{port}")  # noqa: S108 - pytest's folders are closed to others
        cluster.mkdir(mode=0o700)
        os.chown(cluster, owner.pw_uid, owner.pw_gid)
    initdb = [*as_user, binaries / "initdb", "-D", cluster, "-A", "trust", "-U", "connector", "-E", "UTF8"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd="/")
    process = subprocess.Popen(
        [*as_user, binaries / "postgres", "-D", cluster, "-p", str(port), "-h", "127.0.0.1", "-k", ""],
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    try:
        wait_until(lambda: answers(port), seconds=30, what="the start of PostgreSQL")
        ready = [binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]
        wait_until(
            lambda: subprocess.run(ready, check=False, stdout=subprocess.DEVNULL).returncode == 0,
            seconds=30, what="PostgreSQL accepting connections",
        )  # fmt: skip
        yield f"postgresql+psycopg://connector@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(cluster, ignore_errors=True)
