"""What to send: seeded vectors, rows, queries and fresh rows, equal in every process."""

from loadgen.workload.dataset import Dataset
from loadgen.workload.inserts import InsertStream
from loadgen.workload.rows import FINGERPRINT_KEY, INSERTED, Row

__all__ = ["FINGERPRINT_KEY", "INSERTED", "Dataset", "InsertStream", "Row"]
