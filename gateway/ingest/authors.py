"""Who wrote a change, without his name: a keyed hash of his address."""

from collections.abc import Callable
from hashlib import blake2b

Authors = Callable[[str, object], str | None]
"""(project, address or login) -> what stands for him on the log; None where there is nothing to go by, or no key."""


def hashed_by(key: str | None) -> Authors:
    """Authors told apart by `key`: the same one has the same hash in all projects of a tenant and another elsewhere.

    >>> author = hashed_by("secret")
    >>> author("acme/app", "Ann@example.org ") == author("acme/lib", "ann@example.org")
    True
    >>> author("acme/app", "ann@example.org") == author("globex/app", "ann@example.org")
    False
    >>> hashed_by(None)("acme/app", "ann@example.org") is None
    True
    """

    secret = blake2b(key.encode(), digest_size=32).digest() if key is not None else None

    def author(project: str, who: object) -> str | None:
        if secret is None or not isinstance(who, str) or not who.strip():
            return None
        tenant = project.partition("/")[0]
        return blake2b(f"{tenant}\n{who.strip().lower()}".encode(), digest_size=16, key=secret).hexdigest()

    return author
