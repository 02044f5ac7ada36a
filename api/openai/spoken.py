"""What a reader was told of an answer so far."""

from models.errors import RedtenError


class Spoken:
    """Text that has been sent cannot be unsent, but an attempt that was lost begins anew.

    A repeat mostly says the same again, and then the reader notices nothing.
    """

    def __init__(self) -> None:
        self._attempt = 0
        self._heard = self._sent = ""

    def begin(self, attempt: int) -> None:
        """What was heard of an older attempt is void."""
        if attempt > self._attempt:
            self._attempt, self._heard = attempt, ""

    def hear(self, text: str) -> str:
        """What there is to send now that this came."""
        self._heard += text
        if not self._heard.startswith(self._sent):
            return ""
        new, self._sent = self._heard[len(self._sent) :], self._heard
        return new

    def rest_of(self, answer: str) -> str:
        """What is missing of the answer that counts.

        Raises RedtenError `stream_broken` if something else was sent.
        """
        if not answer.startswith(self._sent):
            raise RedtenError(
                "stream_broken",
                "the answer was begun anew and is another one now: what came so far is void",
            )
        return answer[len(self._sent) :]
