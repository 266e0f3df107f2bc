"""Run every benchmark, each in a process of its own, and say which failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Exit with the number of benchmarks that failed."""
    folder = Path(__file__).parent
    modules = [file.stem for file in folder.glob("*.py") if not file.stem.startswith("_")]
    names = sorted([*modules, *(file.parent.name for file in folder.glob("*/__main__.py"))])
    failed = []
    for name in names:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all benchmarks ran")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
