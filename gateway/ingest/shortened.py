"""Texts that have a largest length: what is cut off still tells them apart."""

from hashlib import blake2b


def shortened(text: str, longest: int, whole: str) -> str:
    """At most `longest` characters of a text; where it is cut, they end with a hash of the `whole` it stands for.

    >>> shortened("a" * 40, 20, "a" * 40), shortened("a", 20, "a")
    ('aaa#c0c27cf4f8579f5d', 'a')
    """
    if len(text) <= longest:
        return text
    mark = "#" + blake2b(whole.encode(), digest_size=8).hexdigest()
    return text[: longest - len(mark)] + mark
