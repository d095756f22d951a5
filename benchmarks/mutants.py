"""Thousands of damaged files, each read in a child: how many end in anything but one line, and how.

    python -m benchmarks.mutants --count 3000

Prints every mutant that ended in a traceback, took more than 5 s of processor time or 1 GiB, or wrote outside
of its results. The mutants are `tests/saving/mutants.py`'s; a checkout is needed.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import time
from collections import Counter
from pathlib import Path


def main() -> None:
    """Makes and reads the mutants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trains", action="store_true", help="go on with runs that are accepted")
    parser.add_argument("--said", action="store_true", help="print what each of them said")
    parsed = parser.parse_args()
    mutants = importlib.import_module("tests.saving.mutants")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        mutants.warm(root)
        began, faults = time.monotonic(), Counter[str]()
        for found in mutants.outcomes(root, parsed.count, parsed.seed, parsed.trains):
            if found.faulty:
                print(found._replace(said=found.said[-1500:]), flush=True)
            elif parsed.said:
                print(found.what, "|", found.said.strip()[:300], f"{found.seconds:.1f} s", flush=True)
            faults["traceback or signal"] += bool(found.fault)
            faults["over 5 s"] += found.seconds > mutants.SECONDS
            faults["over 1 GiB"] += found.memory > mutants.MEMORY
            faults["wrote elsewhere"] += found.elsewhere
    print(f"{parsed.count} mutants in {time.monotonic() - began:.0f} s: {dict(faults)}")


if __name__ == "__main__":
    main()
