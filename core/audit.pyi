"""Invariants over the whole state."""

class InvariantError(AssertionError):
    """The state contradicts itself: a bug of the engine. It says which invariant, where, and the two numbers."""
