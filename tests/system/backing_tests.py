# SPDX-License-Identifier: GPL-2.0-only
"""Memory that comes from elsewhere than the VMM's own server."""

from lab.harness import test
from tests.system.end_tests import AFTERMATH, check_aftermath
from tests.vm import Vm, check, expect, run

WORK = "run --tasks 8 --pages 64 --half-syscall"
# The server ends when the VMM does.
OTHER_PROCESS = """
apfpages --socket /tmp/pages --policy all:delay=20 2>/out/pages.err &
until [ -S /tmp/pages ]; do sleep 0.01; done
vmm
wait $!
echo $? >/out/pages
""" + AFTERMATH


@test("pages_of_another_process")
def pages_of_another_process():
    """The userfaultfd goes to it over a socket: no event of it needs the VMM."""
    outcome = run("pages_of_another_process", Vm(
        cpus=2, policy=(), args=("--pages-socket", "/tmp/pages"), steps=(WORK, "ps-d", "apf"),
        script=OTHER_PROCESS))
    check(outcome)
    check_aftermath(outcome)
    assert outcome.read("pages").strip() == "0", outcome.read("pages.err")
    expect(outcome.figures(), announced=64, repeated=0, ready=64, declined=0, halted=0, sync=0,
           spurious=0)
    expect(outcome.record("run-end")["uffd"], requests=0)
