/* Preloaded before the C library: the n-th allocation after `fail_at(n, for_good)` fails, once or for good.
 * Counts only in the thread that armed it. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static __thread long left, seen;
static __thread int persistent;

void fail_at(long n, int for_good) { left = n; persistent = for_good; seen = 0; }
long allocations(void) { return seen; }

static int fails(void) {
    if (left <= 0) return 0;
    seen += 1;
    if (seen < left || (seen > left && !persistent)) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails() ? NULL : __libc_calloc(count, size); }
void *realloc(void *block, size_t size) { return fails() ? NULL : __libc_realloc(block, size); }
void *aligned_alloc(size_t alignment, size_t size) { return fails() ? NULL : __libc_memalign(alignment, size); }
int posix_memalign(void **block, size_t alignment, size_t size) {
    if (fails()) return ENOMEM;
    *block = __libc_memalign(alignment, size);
    return *block ? 0 : ENOMEM;
}
