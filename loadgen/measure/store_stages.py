"""Names of the stages of an operation of a vector store."""

QUEUE, PREPARE, RPC, DECODE = "queue", "prepare", "rpc", "decode"
STAGES = (PREPARE, RPC, DECODE)
"""From the start of the call to its request, to the answer, to the end of the call."""
ALL_STAGES = (QUEUE, *STAGES)
"""With the time from the scheduled to the actual start, which only arrivals of the open model have."""
