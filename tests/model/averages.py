"""Exponential averages in integers. Bit for bit what the venue's rules fix: 62 places for decays, 32 for averages."""

ONE = 1 << 62
LN2 = 3196577161300663914  # ln 2 * 2^62


def exp_decay(t: int, tau: int) -> int:
    """exp(-t / tau) * 2^62: halvings, and the series for what is left of the exponent, each term rounded down."""
    if t // tau >= 44:
        return 0
    halvings, rest = divmod((t << 62) // tau, LN2)
    total = term = ONE
    for n in range(1, 25):
        term = (term * rest >> 62) // n
        total += -term if n % 2 else term
    return total >> halvings


class Average:
    """num <- num e + x t, den <- den e + t, kept as their quotient."""

    def __init__(self) -> None:
        self.value = self.weight = self.time_ns = 0

    def step(self, now: int, x: int, tau: int, first: int) -> None:
        t = now - self.time_ns if self.weight else first
        step = min(t, 1 << 45) << 16
        weight = (self.weight * exp_decay(t, tau) >> 62) + step
        if self.weight:
            self.value += ((x << 32) - self.value) * ((step << 62) // weight) >> 62
        else:
            self.value = x << 32
        self.weight, self.time_ns = weight, now

    def whole(self) -> int:
        """0 before the first sample."""
        return self.value >> 32
