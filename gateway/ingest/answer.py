"""What a sender is told: how much was accepted, what was a repeat, what was refused and why."""

from msgspec import Struct

from gateway.ingest.refusal import Refusal

MOST_LISTED = 100
"""Refusals that an answer lists; all are counted."""


class Answer(Struct, frozen=True, kw_only=True):
    """`accepted` and `duplicate` count records, `refused` what was not taken, of which `refusals` has the first."""

    accepted: int
    duplicate: int
    refused: int
    refusals: list[Refusal]

    def again(self) -> "Answer":
        """The answer to the same delivery when it comes once more."""
        repeated = self.accepted + self.duplicate
        return Answer(accepted=0, duplicate=repeated, refused=self.refused, refusals=self.refusals)

    def status(self) -> int:
        """202 where something is on the log, or was before; 422 where all was refused, 200 where there was nothing.

        >>> Answer(accepted=0, duplicate=3, refused=1, refusals=[]).status()
        202
        """
        if self.accepted or self.duplicate:
            return 202
        return 422 if self.refused else 200
