# SPDX-License-Identifier: GPL-2.0-only
"""dkms's package of a release of Debian: shell scripts, which run on any machine."""

from lab import apt, paths
from lab.term import LabError, cache_lock, run_logged, step

FOLDER = paths.CACHE / "dkms"
LOG = paths.LOG / "dkms.log"
# Debian 12's 3.0.10 and Debian 13's 3.2.
SUITES = ("bookworm", "trixie")


def fetch(suite, folder):
    with apt.state(f"dkms-{suite}", suite=suite) as state:
        state.update(LOG)
        run_logged(state.command("download", "dkms"), LOG, cwd=state.archives)
        folder.mkdir(parents=True, exist_ok=True)
        for package in state.packages():
            package.replace(folder / package.name)


def ensure(suite):
    """Path of the package."""
    folder = FOLDER / suite
    if not any(folder.glob("dkms_*.deb")):
        with cache_lock(), step(f"fetching dkms of Debian's {suite}"):
            try:
                fetch(suite, folder)
            except LabError as error:
                raise LabError(f"{error}\nIt comes from the Debian archive that /etc/apt names: "
                               "is it reachable?") from error
    return max(folder.glob("dkms_*.deb"))
