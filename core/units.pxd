# Units and the only arithmetic that divides. Header only, inlined everywhere.
#
# money, value, mark, index   1e-8 of the settlement asset (or of the quote)
# rate                        1e-9
# price_ticks, size_lots      multiples of the market's tick and lot
# time_ns                     nanoseconds since the epoch, UTC
#
# Products go through 128 bits. Each division names its rounding. A result that does not fit in 64 bits is
# reported through the `overflow` flag that every caller must hand in: it is never wrapped.

from libc.stdint cimport int32_t, int64_t, uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <stddef.h>
    #if defined(__linux__)
    #include <sys/mman.h>
    #endif

    /* Large blocks are asked to be put on large pages: a look at an account touches a dozen places that are far apart,
       and on small pages each costs a walk through the page tables as well. Advice: no harm where it is not taken. */
    static inline void perpsim_large_pages(void *block, size_t size) {
    #if defined(__linux__) && defined(MADV_HUGEPAGE)
        const uintptr_t page = (uintptr_t)1 << 21;
        uintptr_t first = ((uintptr_t)block + page - 1) & ~(page - 1), last = ((uintptr_t)block + size) & ~(page - 1);
        if (block != NULL && last > first) madvise((void *)first, last - first, MADV_HUGEPAGE);
    #else
        (void)block; (void)size;
    #endif
    }
    typedef __int128 perpsim_i128;

    #define PERPSIM_LIKELY(x) __builtin_expect(!!(x), 1)

    /* floor(a * b / c) for c > 0 */
    static inline int64_t perpsim_mul_div_floor(int64_t a, int64_t b, int64_t c, int *overflow) {
        int64_t narrow;
        if (PERPSIM_LIKELY(!__builtin_mul_overflow(a, b, &narrow))) {
            int64_t quotient = narrow / c;
            return quotient - ((narrow % c) < 0);
        }
        __int128 product = (__int128)a * b;
    #if defined(__x86_64__)
        /* divide magnitudes: the 128/64 instruction faults unless the quotient fits, which the test ensures */
        unsigned __int128 magnitude = product < 0 ? -(unsigned __int128)product : (unsigned __int128)product;
        uint64_t high = (uint64_t)(magnitude >> 64), low = (uint64_t)magnitude;
        if (PERPSIM_LIKELY(high < (uint64_t)c)) {
            uint64_t q, r;
            __asm__("divq %4" : "=a"(q), "=d"(r) : "0"(low), "1"(high), "r"((uint64_t)c) : "cc");
            if (product < 0) {
                if (q <= (uint64_t)INT64_MAX) return -(int64_t)q - (r != 0);     /* q + 1 must not wrap */
                if (q == (uint64_t)INT64_MAX + 1 && r == 0) return INT64_MIN;
            } else if (q <= (uint64_t)INT64_MAX) {
                return (int64_t)q;
            }
        }
        *overflow = 1;
        return 0;
    #else
        __int128 quotient = product / c;
        if (product % c < 0) quotient -= 1;
        if (quotient > INT64_MAX || quotient < INT64_MIN) { *overflow = 1; return 0; }
        return (int64_t)quotient;
    #endif
    }

    /* ceil(a * b / c) for c > 0 */
    static inline int64_t perpsim_mul_div_ceil(int64_t a, int64_t b, int64_t c, int *overflow) {
        if (a == INT64_MIN) { *overflow = 1; return 0; }
        int64_t floor_of_negative = perpsim_mul_div_floor(-a, b, c, overflow);
        if (floor_of_negative == INT64_MIN) { *overflow = 1; return 0; }
        return -floor_of_negative;
    }

    static inline int64_t perpsim_div_floor(int64_t a, int64_t b) {
        int64_t q = a / b;
        return q - ((a % b != 0) && ((a < 0) != (b < 0)));
    }
    static inline int64_t perpsim_div_ceil(int64_t a, int64_t b) {
        int64_t q = a / b;
        return q + ((a % b != 0) && ((a < 0) == (b < 0)));
    }
    static inline int64_t perpsim_mul(int64_t a, int64_t b, int *overflow) {
        int64_t r;
        if (__builtin_mul_overflow(a, b, &r)) { *overflow = 1; return 0; }
        return r;
    }
    static inline int64_t perpsim_add(int64_t a, int64_t b, int *overflow) {
        int64_t r;
        if (__builtin_add_overflow(a, b, &r)) { *overflow = 1; return 0; }
        return r;
    }
    static inline int64_t perpsim_sub(int64_t a, int64_t b, int *overflow) {
        int64_t r;
        if (__builtin_sub_overflow(a, b, &r)) { *overflow = 1; return 0; }
        return r;
    }
    /* fixed point score of a ratio: floor(a * 1e9 / b), saturated to +-INT64_MAX; b > 0 */
    static inline int64_t perpsim_ratio(int64_t a, int64_t b) {
        int overflow = 0;
        int64_t r = perpsim_mul_div_floor(a, 1000000000, b, &overflow);
        if (overflow) return a < 0 ? -INT64_MAX : INT64_MAX;
        return r;
    }
    /* gcc drops calls of functions that do nothing but prefetch; the empty statement makes this one do something */
    static inline void perpsim_prefetch(const void *address) { __builtin_prefetch(address); __asm__ __volatile__(""); }
    /* x for a buyer (side 0), -x for a seller (side 1), without a branch: sides come in no order that can be guessed */
    static inline int64_t perpsim_by_side(int64_t side, int64_t x) { return (x ^ -side) + side; }
    static inline perpsim_i128 perpsim_wide(int64_t a, int64_t b) { return (__int128)a * b; }
    static inline int64_t perpsim_narrow(perpsim_i128 a, int *overflow) {
        if (a > INT64_MAX || a < INT64_MIN) { *overflow = 1; return 0; }
        return (int64_t)a;
    }
    static inline perpsim_i128 perpsim_wide_abs(perpsim_i128 a) { return a < 0 ? -a : a; }
    static inline perpsim_i128 perpsim_wide_div_floor(perpsim_i128 a, int64_t b) {
        perpsim_i128 q = a / b;
        return q - ((a % b != 0) && ((a < 0) != (b < 0)));
    }
    /* floor(a * b / c) for a, b >= 0 and c > 0 */
    static inline perpsim_i128 perpsim_wide_mul_div(perpsim_i128 a, int64_t b, int64_t c, int *overflow) {
        perpsim_i128 whole, part = (a % c) * b / c;
        if (__builtin_mul_overflow(a / c, (perpsim_i128)b, &whole) || __builtin_add_overflow(whole, part, &whole)) {
            *overflow = 1;
            return 0;
        }
        return whole;
    }
    /* floor(sqrt(a)) for 0 <= a < 2^62, a digit at a time */
    static inline int64_t perpsim_isqrt(int64_t a) {
        int64_t root = 0, bit = INT64_C(1) << 60;
        while (bit > a) bit >>= 2;
        for (; bit; bit >>= 2) {
            if (a >= root + bit) { a -= root + bit; root = (root >> 1) + bit; }
            else root >>= 1;
        }
        return root;
    }
    static inline int64_t perpsim_high(perpsim_i128 a) { return (int64_t)(a >> 64); }
    static inline uint64_t perpsim_low(perpsim_i128 a) { return (uint64_t)a; }
    /* full 64x64 product folded, the mixing step of the digest and of the hash indexes */
    static inline uint64_t perpsim_mix(uint64_t a, uint64_t b) {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    """
    # Cython sees a 64-bit integer here; C computes in 128 bits.
    ctypedef long long i128 "perpsim_i128"
    void large_pages "perpsim_large_pages"(void *block, size_t size) noexcept nogil
    int64_t mul_div_floor "perpsim_mul_div_floor"(int64_t a, int64_t b, int64_t c, int *overflow) noexcept nogil
    int64_t mul_div_ceil "perpsim_mul_div_ceil"(int64_t a, int64_t b, int64_t c, int *overflow) noexcept nogil
    int64_t div_floor "perpsim_div_floor"(int64_t a, int64_t b) noexcept nogil
    int64_t div_ceil "perpsim_div_ceil"(int64_t a, int64_t b) noexcept nogil
    int64_t mul_checked "perpsim_mul"(int64_t a, int64_t b, int *overflow) noexcept nogil
    int64_t add_checked "perpsim_add"(int64_t a, int64_t b, int *overflow) noexcept nogil
    int64_t sub_checked "perpsim_sub"(int64_t a, int64_t b, int *overflow) noexcept nogil
    int64_t ratio_e9 "perpsim_ratio"(int64_t a, int64_t b) noexcept nogil
    int64_t by_side "perpsim_by_side"(int64_t side, int64_t x) noexcept nogil
    i128 wide_mul "perpsim_wide"(int64_t a, int64_t b) noexcept nogil
    int64_t narrow "perpsim_narrow"(i128 a, int *overflow) noexcept nogil
    i128 wide_abs "perpsim_wide_abs"(i128 a) noexcept nogil
    i128 wide_div_floor "perpsim_wide_div_floor"(i128 a, int64_t b) noexcept nogil
    i128 wide_mul_div "perpsim_wide_mul_div"(i128 a, int64_t b, int64_t c, int *overflow) noexcept nogil
    int64_t high_word "perpsim_high"(i128 a) noexcept nogil
    uint64_t low_word "perpsim_low"(i128 a) noexcept nogil
    uint64_t mix64 "perpsim_mix"(uint64_t a, uint64_t b) noexcept nogil
    bint likely "__builtin_expect"(bint condition, long expected) noexcept nogil
    void prefetch "perpsim_prefetch"(const void *address) noexcept nogil
    int count_trailing_zeros "__builtin_ctzll"(uint64_t word) noexcept nogil
    int64_t isqrt "perpsim_isqrt"(int64_t a) noexcept nogil
    int count_leading_zeros "__builtin_clzll"(uint64_t word) noexcept nogil
    int count_ones "__builtin_popcountll"(uint64_t word) noexcept nogil

ctypedef int64_t ticks_t    # price in ticks of its market
ctypedef int64_t lots_t     # size in lots of its market, signed for positions
ctypedef int64_t value_t    # price in 1e-8 of the quote
ctypedef int64_t money_t    # 1e-8 of the settlement asset
ctypedef int64_t rate_t     # 1e-9
ctypedef int64_t ns_t       # nanoseconds since the epoch, UTC

cdef enum:
    RATE_ONE = 1_000_000_000
    VALUE_ONE = 100_000_000

cdef inline int64_t abs64(int64_t a) noexcept nogil:
    return -a if a < 0 else a

cdef inline int64_t min64(int64_t a, int64_t b) noexcept nogil:
    return a if a < b else b

cdef inline int64_t max64(int64_t a, int64_t b) noexcept nogil:
    return a if a > b else b
