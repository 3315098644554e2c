"""Published numbers that the product does not give, for a reason: id of the case -> reason.

A test holds the list against the cases, so that an entry goes as soon as it agrees.
"""

DISAGREEMENTS: dict[str, str] = {}
