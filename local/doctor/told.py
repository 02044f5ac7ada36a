"""What a running `redten up` has told its programs."""

from contextlib import suppress
from pathlib import Path

import psutil

from local.deployment import owner_url
from local.errors import LocalError
from local.layout import Layout
from local.processes import MARK, Kin

API = "python:local.gunicorn_conf"


def told_to_api(data_dir: Path) -> dict[str, str]:
    """The environment of its API, and the way in as the owner of the tables.

    Raises LocalError if there is none, or it does not run.
    """
    owner = owner_url(data_dir)
    for process in Kin.of(Layout(data_dir)).alive():
        with suppress(psutil.Error, OSError):
            if API in process.cmdline():
                told = process.environ()
                # Or `redten up` would take the doctor for a program of its own, and end it.
                told.pop(MARK, None)
                return told | {"DATABASE_ADMIN_URL": owner}
    raise LocalError(f"the API does not run on {data_dir}: see {Layout(data_dir).logs}/api.log")
