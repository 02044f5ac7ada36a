"""Where everything of one data directory lies, and that nobody else may read it."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from local.errors import LocalError

# The kernel's limit on the path of a Unix socket is 104 bytes on macOS, 108 on Linux.
LONGEST_SOCKET_PATH = 103
LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432.lock")


class Layout:
    """The names of all files and folders below a data directory; `make` creates the folders."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.fingerprint = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        self.run = self.root / "run"
        self.logs = self.root / "logs"
        self.secrets = self.root / "secrets"
        self.tls = self.root / "tls"
        self.jwt = self.root / "jwt"
        self.blobs = self.root / "blobs"
        self.valkey = self.root / "valkey"
        self.postgres = self.root / "postgres"
        self.metrics = self.run / "metrics"
        self.sockets = self._sockets()
        self.lock = self.run / "up.lock"
        self.supervisord_conf = self.run / "supervisord.conf"
        self.ca = self.tls / "ca.pem"
        self.cert = self.tls / "server.pem"
        self.key = self.tls / "server-key.pem"
        self.private_key = self.jwt / "private-key-pkcs8.pem"
        self.public_key = self.jwt / "public-key.pem"
        self.admin_env = self.root / "admin.env"
        self.client_env = self.root / "client.env"

    def _sockets(self) -> Path:
        """The folder of Unix sockets: below the data directory unless its path is too long."""
        inside = self.run / "sockets"
        if len(os.fsencode(inside)) + LONGEST_SOCKET_NAME <= LONGEST_SOCKET_PATH:
            return inside
        return Path(tempfile.gettempdir(), f"redten-{os.getuid()}-{self.fingerprint}")

    def make(self) -> None:
        """Creates what is missing; an existing folder keeps its mode.

        Raises LocalError if this user may not.
        """
        folders = (self.root, self.run, self.logs, self.secrets, self.tls, self.jwt)
        try:
            for folder in (*folders, self.blobs, self.valkey, self.metrics):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_own_folder(self.sockets)
        except OSError as exc:
            raise LocalError(f"cannot make {exc.filename}: {exc.strerror}") from exc


def make_own_folder(folder: Path) -> None:
    """A folder in a place that others may write to, taken only if it is ours and closed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise LocalError(f"{folder} belongs to somebody else or is open to others: remove it")


def write_private(path: Path, content: bytes, owner: tuple[int, int] | None = None) -> None:
    """Puts a file in place at once, readable by its owner only."""
    # mkstemp makes the file with mode 0600 from the start, so there is no moment to read it in.
    handle, half_made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            if owner is not None:
                os.fchown(file.fileno(), *owner)
        Path(half_made).replace(path)
    finally:
        Path(half_made).unlink(missing_ok=True)
