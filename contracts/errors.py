"""Every error raised on purpose.

    ArgusError
    ├── BadRecord        a message or a row does not match its contract  -> dead-letter topic, or refused by name
    ├── Unavailable      a dependency cannot answer now                  -> marked fallback, or retry with back-off
    │   └── DeadlineExceeded   it did not answer in the time it was given
    └── Misconfigured    a setting, a topic or a machine makes no sense  -> refuse to start, with the remedy
        └── NotRunning   the embedded stack or a cluster is not there

Catch the middle row; raise the leaves. Anything else is a bug and must crash.
"""


class ArgusError(Exception):
    """The root: a message for a person, naming the field, the value and the remedy."""


class BadRecord(ArgusError):
    """`field` holds `value`, which its contract does not allow, for `reason`."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        try:
            shown = repr(value)
        except RecursionError:
            shown = "a value nested too deep to be shown"
        super().__init__(f"{field}: {shown if len(shown) <= 120 else shown[:117] + '...'} {reason}")
        self.field, self.value, self.reason = field, value, reason


class Unavailable(ArgusError):
    """A broker, a store or a cluster cannot answer now; trying again may help."""


class DeadlineExceeded(Unavailable):
    """What was waited for did not happen in the time that was given."""


class Misconfigured(ArgusError):
    """Starting would do harm or nothing: the message says what to change."""


class NotRunning(Misconfigured):
    """Nothing runs where the settings point."""
