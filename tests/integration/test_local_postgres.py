"""The embedded Postgres as `redten up` meets it while it waits."""

from dataclasses import replace

import pytest

from local.errors import LocalError
from tests.conftest import CLUSTER


@pytest.mark.usefixtures("services")
def test_a_wrong_password_is_said_at_once_instead_of_waited_out() -> None:
    other = replace(CLUSTER, superuser_password="another")

    assert CLUSTER.answers()
    with pytest.raises(LocalError, match=rf"{CLUSTER.home.data} was made with another password"):
        other.answers()


def test_a_server_that_is_not_there_does_not_answer_yet() -> None:
    nowhere = replace(CLUSTER, home=replace(CLUSTER.home, sockets=CLUSTER.home.binaries))

    assert not nowhere.answers()
