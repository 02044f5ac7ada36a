"""What redten refuses, with a code that the door maps to a status."""


class RedtenError(Exception):
    """A permanent refusal; `message` is meant for the person who asked."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
