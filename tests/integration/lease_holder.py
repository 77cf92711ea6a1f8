"""A process that keeps the lease of a collection until asked to release it; `lease_support.py` starts it."""

import sys

from loadgen.milvus.store import Lease
from loadgen.milvus.store.holders import Use
from loadgen.settings.faults import SettingsError
from loadgen.settings.model import Settings


def main() -> None:
    """Hold what the arguments name; each line of the input lets it go on by a step."""
    uri, collection, use, data = sys.argv[1:]
    lease = Lease(Settings(host=uri, collection=collection), "searches", lambda _: None, writes=use == "write")
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        lease.take(data, Use(use))
    except SettingsError as error:
        print("refused", str(error).splitlines()[1], flush=True)
    else:
        lease.settle()
        print("held" if lease.is_kept else "unkept", flush=True)
    sys.stdin.readline()
    lease.release()


if __name__ == "__main__":
    main()
