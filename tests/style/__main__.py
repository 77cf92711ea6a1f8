"""`python -m tests.style`: exit code 1, and every place, if more words are left than `LIMIT`."""

import sys
from collections import Counter

from tests.style.words import LIMIT, ROOT, find_all, list_files


def main() -> int:
    """Count and print."""
    names = list_files()
    hits = find_all(ROOT, names)
    counts = ", ".join(f"{word} {count}" for word, count in Counter(hit.word for hit in hits).most_common())
    if len(hits) > LIMIT or "--list" in sys.argv:
        print("\n".join(map(str, hits)))
    print(f"docs/style.md: {len(hits)} words to avoid in {len(names)} files, {LIMIT} allowed ({counts}).")
    return int(len(hits) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
