"""How each figure was measured: the same words in every report."""

METHODS = (
    (
        "operations/s",
        (
            "Answered operations that ended within a phase, divided by its length. Over several rounds: that of a "
            "typical phase, the geometric mean of the phases, which one slow phase affects less than a sum. Intervals "
            "and ratios refer to it. The warm-up and operations that end later do not count."
        ),
    ),
    (
        "good/s (goodput)",
        (
            "Operations that were answered, neither empty nor failed, and met every condition of --objective on them, "
            "per second of a phase. Typical phases, intervals and ratios are those of operations/s. A condition on a "
            "stage applies to the operations that declare the stage. Goodput decides no verdict."
        ),
    ),
    (
        "items/s",
        (
            "What answered operations processed besides rows, such as tokens or documents, in all rounds together, "
            "divided by their length. The time per output token is the time of all streamed answers from the first "
            "token to the end of the stream, divided by their tokens after the first."
        ),
    ),
    (
        "response time",
        (
            "From when an operation was due to the end of the call. Users who wait for their answer (closed model) "
            "start an operation when it is due. Arrivals at a rate (open model) may wait for a concurrency slot, and "
            "the wait counts. The call includes serialisation, network, server, and LlamaIndex's decoding. Timeouts "
            "count with their time, other failures do not."
        ),
    ),
    (
        "percentiles",
        (
            "From HDR histograms with three significant digits, merged over rounds and processes. p99: 99 of 100 "
            "operations were answered within this time."
        ),
    ),
    (
        "cost of an operation",
        (
            "CPU time of all processes of the load generator in a phase, divided by the operations of all kinds that "
            "ended in it: the client libraries, and the tool around them. Bytes are those that the kernel counts for "
            "the TCP connections to the server, with the framing of HTTP/2 and TLS; unknown with a proxy. Memory is "
            "the maximum of resident memory, summed over processes."
        ),
    ),
    (
        "stages",
        (
            "Parts of an operation that follow each other, of answered operations and timeouts. Of a coroutine, a "
            "stage includes its waits for the event loop. Time to first token: from the retrieved chunks to the first "
            "part of the answer. Time between tokens: from each part of a streamed answer to the next, all of them "
            "together."
        ),
    ),
    (
        "rounds",
        (
            "Phases run forward and back at each load, as in sync, async, async, sync, so that a steady drift of the "
            "machine or the server affects all variants alike. All users stop between two phases."
        ),
    ),
    (
        "ratios",
        (
            "A variant divided by the baseline (async by sync), each in a typical phase at the middle of the level's "
            "time: a line with a step between the two and a steady drift is fitted to the logarithms of their phases. "
            "Phases of other variants are not used. With full rounds, the typical figures are geometric means. Total "
            "operations over total time, and percentiles of all operations, are different figures if phases differ, "
            "and so are their ratios."
        ),
    ),
    (
        "95 % intervals",
        (
            "A bootstrap of blocks of slices (about a second each) within each phase, combined with the scatter "
            "between phases of the same kind, moderated by a prior of 5 %. With few phases, the prior dominates."
        ),
    ),
    (
        "verdict",
        (
            "Follows the interval: if it contains 1, there is no significant difference. With users, the ratio of "
            "operations/s decides; with arrivals, all variants get the same rate, so response times decide."
        ),
    ),
    (
        "invalid",
        (
            "A comparison that does not count: the generator was the limit, a worker was lost, a phase was aborted, or "
            "the sides did different work. Settings that differ on purpose do not invalidate it."
        ),
    ),
    (
        "limits",
        (
            "The results say nothing about another server, other data or another machine. If server and load generator "
            "share cores, they also share their limit."
        ),
    ),
)
"""Terms and what they mean."""
