"""A broker behind TLS: everybody who speaks to it checks who it is."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from local import tls
from local.layout import Layout
from tests.conftest import PROJECT, VALKEY
from tests.integration.tls_proxy import tls_before

# Each says its name once it has been let in; none of them is for long.
CALLERS = """
from contextlib import suppress
from flask import Flask
from kombu.exceptions import OperationalError
from tasks import broker
from tasks.app import app
broker.TIMEOUT_S = 10.0  # this machine may be busy
from api.limits import limiter

with suppress(broker.BrokerError):
    broker.connection(10.0).ping()
    print("client")
with suppress(OperationalError), app.connection_for_write() as made:
    made.ensure_connection(max_retries=1, errback=None, interval_start=0.1)
    print("celery")
limiter.init_app(Flask("doors"))
if limiter.storage.check():
    print("limits")
"""
ALL = ["client", "celery", "limits"]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    made = Layout(tmp_path_factory.mktemp("tls"))
    made.make()
    tls.prepare(made, "127.0.0.1")
    return made


@pytest.fixture(scope="module")
def port(valkey_server: object, layout: Layout) -> Iterator[int]:
    with tls_before(VALKEY.port, layout) as listening:
        yield listening


def let_in(host: str, port: int, ca: object, more: str = "") -> list[str]:
    """Who gets to the broker by that name, believing that authority."""
    url = f"rediss://:{VALKEY.password}@{host}:{port}/0?ssl_ca_certs={ca}{more}"
    command = [sys.executable, "-W", "ignore", "-c", CALLERS]
    told = os.environ | {"REDIS_URL": url}
    ended = subprocess.run(
        command, env=told, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_who_trusts_its_authority_gets_in(layout, port):
    assert let_in("127.0.0.1", port, layout.ca) == ALL


def test_nobody_believes_another_authority(port, tmp_path):
    other = Layout(tmp_path)
    other.make()
    tls.prepare(other, "127.0.0.1")

    assert let_in("127.0.0.1", port, other.ca) == []


def test_nobody_takes_it_for_a_host_that_its_certificate_does_not_name(layout, port):
    # The same address, by a name that the certificate does not bear.
    assert let_in("127.1", port, layout.ca) == []
    assert let_in("127.1", port, layout.ca, "&ssl_check_hostname=false") == ALL
