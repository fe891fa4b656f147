"""The most memory that a process held, here and in the environments of peers."""

from pathlib import Path


def memory(anew=False):
    """Return the most MB that this process held; if `anew`, begin from what it holds.

    Where the system is not Linux there is no answer, which is 0.
    """
    try:
        if anew:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    (most,) = (line for line in lines if line.startswith("VmHWM"))
    return int(most.split()[1]) / 1000
