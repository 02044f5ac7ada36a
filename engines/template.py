"""A model's own chat template, filled in by a process of its own, which is ended if it runs wild.

Whoever makes a GGUF file writes its template. Jinja's sandbox keeps a template from reaching out,
but not from looping for ever or making a text without end.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import engines
from engines.errors import EngineError
from settings import inherited_environment

HOME = Path(engines.__file__).parents[1]
CPU_S = 5
COMMAND = (sys.executable, "-P", "-m", "engines.template_child", str(CPU_S))
# Long, for a machine that has no processor to spare: what spins is ended by CPU_S.
LIMIT_S = 60.0
INHERITED = ("LD_LIBRARY_PATH", "REDTEN_UP")


class TemplateKilled(Exception):
    """Its process has not begun, or was killed from outside: no fault of the template's."""


def filled(template: str, roles: Sequence[str], bos: str, eos: str) -> str:
    """The template for messages of these roles, with `\\x02N\\x03` for the content of message N.

    Contents stay out of it, so that one answer is good for all chats of the same roles. Raises
    EngineError `bad_template`, and TemplateKilled, after which another try is worth it.
    """
    try:
        outcome = _outcome(template, tuple(roles), bos, eos)
    except subprocess.TimeoutExpired as error:
        raise _bad(f"not filled in within {LIMIT_S:g} s") from error
    if "text" not in outcome:
        raise _bad(outcome.get("error", "it takes too much time or memory"))
    return outcome["text"]


@lru_cache(maxsize=256)
def _outcome(template: str, roles: tuple[str, ...], bos: str, eos: str) -> dict[str, str]:
    known = inherited_environment()
    own = {name: known[name] for name in INHERITED if name in known}
    request = {"template": template, "roles": roles, "bos": bos, "eos": eos}
    ended = subprocess.run(
        COMMAND,
        input=json.dumps(request).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": str(HOME), **own},
        # What stops the worker with its group must not fail the question that it is writing.
        start_new_session=True,
        timeout=LIMIT_S,
        check=False,
    )
    # What is raised here is not kept: the next question has another try.
    if ended.returncode > 0 or ended.returncode in (-signal.SIGKILL, -signal.SIGTERM):
        raise TemplateKilled(f"its process has ended with {ended.returncode}")
    # Nothing is said by a child that was ended at a limit.
    return dict(json.loads(ended.stdout)) if ended.stdout and not ended.returncode else {}


def _bad(why: str) -> EngineError:
    return EngineError("bad_template", f"the model's chat template fails: {why}")
