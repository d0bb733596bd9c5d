"""Peak memory of this process, for scripts of every environment: nothing but the standard
library."""

from __future__ import annotations

from pathlib import Path


def peak_mib() -> float:
    """The most memory that this process has held. (`ru_maxrss` would count what its parent held
    before it.)"""
    return (
        int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 2**10
    )  # KiB on Linux
