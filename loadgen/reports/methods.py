"""How each figure was measured: the same words in every report."""

METHODS = (
    (
        "operations/s",
        (
            "Answered operations that ended within a phase, by the length of the phase. Of several rounds that of a "
            "typical phase, which intervals and ratios are of: the geometric mean of the phases, which one slow phase "
            "moves less than a sum would. Warm-up and what ends later do not count."
        ),
    ),
    (
        "response time",
        (
            "From when an operation was due to the end of the call. Users who wait for their answer (closed model) "
            "start an operation when it is due. Arrivals at a rate (open model) may wait for a place, and that wait "
            "counts. The call contains serialising, network, server, and LlamaIndex's decoding. Timeouts count with "
            "their time, other failures do not."
        ),
    ),
    (
        "percentiles",
        (
            "From HDR histograms of three digits, added up over rounds and processes without loss. p99: 99 of 100 "
            "operations were answered within this time."
        ),
    ),
    (
        "rounds",
        (
            "Phases run forward and back at each load, as in sync, async, async, sync, so that a steady drift of the "
            "machine or the server hits all variants alike. All users leave between two phases."
        ),
    ),
    (
        "ratios",
        (
            "A variant by the baseline (async by sync), each in a typical phase in the middle of the level's time: a "
            "line with a step between the two and a steady drift is fitted to the logarithms of their phases. Phases "
            "of other variants are in none of it. With full rounds these are the "
            "geometric means. All operations by all seconds, and percentiles of all operations, are other figures "
            "where the phases differ, and their quotients are other ratios."
        ),
    ),
    (
        "95 % intervals",
        (
            "A bootstrap of blocks of slices (of about a second) within each phase, and the scatter between phases of "
            "the same kind, moderated by a prior of 5 %. With few phases the interval rests mostly on the prior."
        ),
    ),
    (
        "verdict",
        (
            "Follows the interval: where it contains 1 no significant difference. Users: the "
            "ratio of operations/s. Arrivals: all variants get the same rate, so response times decide."
        ),
    ),
    (
        "invalid",
        (
            "A comparison that does not count: the generator was the limit, a worker was lost, a phase was broken "
            "off, or both sides did not do the same work. Settings that differ on purpose are no reason."
        ),
    ),
    (
        "what it does not tell",
        (
            "Anything about another server, other data or another machine. Where server and load share cores, their "
            "limit is shared too."
        ),
    ),
)
"""Terms and what they mean."""
