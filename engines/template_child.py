"""A process that fills in one chat template, within limits: a request in, the text out, both JSON.

python -m engines.template_child CPU_SECONDS
"""

import json
import resource
import sys
from contextlib import suppress

from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY_BYTES = 512 << 20
LONGEST = 1 << 20
# A template is a program, and fails as programs do; RuntimeError is also of what calls itself.
FAILURES = (
    *(TemplateError, ArithmeticError, AttributeError, LookupError, RuntimeError),
    *(TypeError, ValueError, MemoryError),
)


def fill(template: str, roles: list[str], bos: str, eos: str) -> str:
    """The template with marks for the contents. Raises one of FAILURES."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = _refuse
    messages = [{"role": role, "content": f"\x02{number}\x03"} for number, role in enumerate(roles)]
    text = environment.from_string(template).render(
        messages=messages, add_generation_prompt=True, bos_token=bos, eos_token=eos
    )
    if len(text) > LONGEST:
        raise ValueError(f"its text is longer than {LONGEST:,} characters")
    return text


def _refuse(message: str) -> None:
    raise TemplateError(message)


def main(cpu_s: int) -> None:
    """Answers the request on standard input with `text` or `error`."""
    # The soft limit ends it by SIGXCPU, which nobody else sends.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    for limit, most in {resource.RLIMIT_AS: MEMORY_BYTES, resource.RLIMIT_CORE: 0}.items():
        # Not everywhere may a process limit its memory.
        with suppress(ValueError, OSError):
            resource.setrlimit(limit, (most, most))
    try:
        answer = {"text": fill(**json.load(sys.stdin))}
    except FAILURES as error:
        answer = {"error": str(error) or type(error).__name__}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
