"""What an engine refuses, in words that reach the owner of the job."""


class EngineError(Exception):
    """A permanent refusal: the same request would be refused again."""

    def __init__(self, code: str, message: str) -> None:
        # Both to the base: Celery pickles exceptions, and unpickling calls with these.
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class EngineStopped(Exception):
    """The engine went down before it had answered; asked again, it may well answer."""

    def __init__(self) -> None:
        super().__init__("the engine was stopped")
