"""What an engine refuses, in words that reach the owner of the job."""


class EngineError(Exception):
    """A permanent refusal: the same request would be refused again."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
