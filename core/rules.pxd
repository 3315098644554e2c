# The numbers of a rulebook as one table: name, number for SET_RULE, range, and what holds where none is stated.

from libc.stdint cimport int64_t

from .rule_numbers cimport MarketRules, VenueRules

cdef struct RuleField:
    const char *name
    int64_t number                      # SET_RULE's; 0: fixed for the life of an engine
    ssize_t offset                      # in MarketRules or VenueRules
    int64_t low
    int64_t high
    int64_t usual                       # where a rulebook does not state it

cdef const RuleField *market_rule(int64_t number) noexcept nogil
cdef const RuleField *venue_rule(int64_t number) noexcept nogil
cdef int set_market_rules(MarketRules *rules, dict stated) except -1
cdef int set_venue_rules(VenueRules *rules, dict stated) except -1
cdef bint fund_rules_fit(VenueRules *rules) noexcept nogil
cdef bint rounds_fit(VenueRules *rules) noexcept nogil
