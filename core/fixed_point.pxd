# Exponential averages in integers: exp(-t / tau) and the step of an average, the same on every machine. Header only.
#
# weights, decays   62 binary places: 2^62 is one
# averages          32 binary places behind the unit of what is averaged

from libc.stdint cimport int64_t, uint64_t

from .units cimport i128, min64

cdef extern from *:
    """
    #include <stdint.h>

    #define PERPSIM_ONE62 (UINT64_C(1) << 62)
    #define PERPSIM_TERMS 24

    /* floor(a * r / 2^62) for 0 <= r <= 2^62 */
    static inline __int128 perpsim_scaled(__int128 a, uint64_t r) {
        const __int128 high = a >> 62;                              /* rounds down, so the rest is not negative */
        const uint64_t low = (uint64_t)(a - high * ((__int128)1 << 62));
        return high * (__int128)r + (__int128)(((unsigned __int128)low * r) >> 62);
    }

    /* exp(-t / tau), rounded down, for t >= 0 and 0 < tau < 2^62. With x = t / tau = n ln 2 + f: 2^-n times the series
       of exp(-f). Error below 2^-58 of the result where n is small; 0 from about x = 42 on. */
    static inline uint64_t perpsim_exp_decay(int64_t t, int64_t tau) {
        const uint64_t ln2 = UINT64_C(3196577161300663914);         /* ln 2 * 2^62 */
        const unsigned __int128 whole = (unsigned __int128)(uint64_t)(t / tau) << 62;
        unsigned __int128 x, n;
        uint64_t f, term = PERPSIM_ONE62, sum = PERPSIM_ONE62;
        int i;
        if (t / tau >= 44) return 0;
        x = whole + ((unsigned __int128)(uint64_t)(t % tau) << 62) / (uint64_t)tau;
        n = x / ln2;
        f = (uint64_t)(x - n * ln2);
        for (i = 1; i <= PERPSIM_TERMS && term; i++) {
            term = (uint64_t)(((unsigned __int128)term * f) >> 62) / (uint64_t)i;
            if (i & 1) sum -= term; else sum += term;
        }
        return sum >> (unsigned)n;
    }

    /* floor(a * 2^62 / b) for 0 <= a <= b, 0 < b */
    static inline uint64_t perpsim_share(int64_t a, int64_t b) {
        return (uint64_t)(((unsigned __int128)(uint64_t)a << 62) / (uint64_t)b);
    }
    static inline __int128 perpsim_fine(int64_t a) { return (__int128)a * ((__int128)1 << 32); }
    static inline int64_t perpsim_whole(__int128 a) { return (int64_t)(a >> 32); }
    """
    const uint64_t ONE62 "PERPSIM_ONE62"
    i128 scaled "perpsim_scaled"(i128 a, uint64_t r) noexcept nogil
    uint64_t exp_decay "perpsim_exp_decay"(int64_t t, int64_t tau) noexcept nogil
    uint64_t share62 "perpsim_share"(int64_t a, int64_t b) noexcept nogil
    i128 fine "perpsim_fine"(int64_t a) noexcept nogil      # a with 32 binary places
    int64_t whole "perpsim_whole"(i128 a) noexcept nogil    # rounded down

cdef enum:
    WEIGHT_PLACES = 16          # binary places of a time that is a weight

cdef inline void ema_step(i128 *average, int64_t *weight, int64_t x, int64_t t, int64_t tau) noexcept nogil:
    """One more sample: num <- num e + x t, den <- den e + t with e = exp(-t / tau), kept as average = num / den.

    The same as average += (x - average) * t / den. `weight` is den in ns with 16 binary places, 0 before the first sample.
    t is the time since the sample before, 0 < t; more than 2^45 ns count as that much. Source: the recurrence of
    Hyperliquid's mark; after the first samples it is an exponential average of time constant tau.
    """
    cdef int64_t step = min64(t, <int64_t>1 << 45) << WEIGHT_PLACES
    cdef int64_t den = <int64_t>scaled(weight[0], exp_decay(t, tau)) + step
    if weight[0] == 0:
        average[0] = fine(x)
    else:
        average[0] = average[0] + scaled(fine(x) - average[0], share62(step, den))
    weight[0] = den
