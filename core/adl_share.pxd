# How many contracts each of several accounts gives when a policy cuts all of them at once. See adl_share.pyx.

from libc.stdint cimport int32_t, int64_t

from .adl cimport Face
from .state cimport Cut
from .units cimport i128, lots_t

cdef bint is_share(int64_t policy) noexcept nogil
cdef i128 weight_of(int64_t policy, const Face *f, lots_t lots) noexcept nogil
cdef void share_out(int64_t policy, Cut *cuts, int64_t count, lots_t wanted) noexcept nogil
