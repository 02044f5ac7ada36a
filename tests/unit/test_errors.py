"""Refusals on their way through Celery."""

import pytest
from celery.utils.serialization import get_pickleable_exception

from engines.errors import EngineError
from ingest.load import LoadError
from models.errors import RedtenError


@pytest.mark.parametrize("kind", [EngineError, LoadError, RedtenError])
def test_a_refusal_reaches_the_error_callback_as_itself(kind):
    passed_on = get_pickleable_exception(kind("code", "what to do"))
    assert type(passed_on) is kind
    assert (passed_on.code, str(passed_on)) == ("code", "what to do")
