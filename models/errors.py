"""What redten refuses, with a code that the door maps to a status."""


class RedtenError(Exception):
    """A permanent refusal; `message` is meant for the person who asked."""

    def __init__(self, code: str, message: str) -> None:
        # Both to the base: Celery pickles exceptions, and unpickling calls with these.
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message
