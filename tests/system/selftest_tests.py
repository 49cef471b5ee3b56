# SPDX-License-Identifier: GPL-2.0-only
"""The KVM selftest, selftests/: a table of cases, in one host.

Each case is a line of KTAP; whatever it has to say of a failure comes before.
"""

import re

from lab import boot, paths
from lab.harness import comment, test
from lab.paths import REPO
from tests.vm import BUSY_PC, OUT, check_log, fewer

TABLES = REPO / "selftests"


def cases():
    found = [case for file in sorted(TABLES.glob("*.c"))
             for case in re.findall(r'\.name = "(\w+)"', file.read_text())]
    assert found, f"no cases in {TABLES}"
    return found


# Some cases have their cold memory in pages of hugetlbfs. Others unmap memory, and KVM says so.
HUGE_PAGES = "echo 16 >/proc/sys/vm/nr_hugepages"
UNMAPPED = "Failed to find VMA for hva"
# Threads wait for userfaults, too, and never too few of them.
WITH_THREADS = """\
echo 1 >/sys/kernel/debug/kvm/apf/knobs/threads || exit 99
echo 512 >/sys/module/kvm-arm/parameters/apf_threads || exit 99
"""


def selftest(name, mode, arguments="", host_may_say=(), only=None, before="", **options):
    assert (paths.BIN / "apf_test").exists(), "apf_test is missing: run `make guests`"
    command = f"{HUGE_PAGES}\n{before}/bin/apf_test {arguments}" + (f" -t {only}" if only else "")
    result = boot.run(command, OUT / name, mode=mode, **{"timeout": 600, **options})
    assert not result.lab_error, result.lab_error
    said = (result.out / "scenario.log").read_text(errors="replace")
    for line in re.findall(r"^# (hostile: .*)", said, re.M):
        comment(line)
    good = re.findall(r"^ok \d+ (\w+)$", said, re.M)
    bad = [case for case in ([only] if only else cases()) if case not in good]
    assert not bad, f"not ok: {', '.join(bad)}\n" + re.sub(r"^ok .*\n", "", said, flags=re.M)
    assert result.status == 0, f"apf_test: status {result.status}\n{said}"
    check_log("host", result.klog.splitlines(), (UNMAPPED, *host_may_say))


@test("kvm_selftest", seconds=120)
def kvm_selftest():
    selftest("kvm_selftest", "icount")


@test("kvm_selftest_in_parallel", alone=True)
def kvm_selftest_in_parallel():
    """CPUs that are threads wait for each other, which the host's timers notice."""
    selftest("kvm_selftest_in_parallel", "mttcg", "-n 1000", BUSY_PC)


@test("kvm_selftest_with_threads", seconds=120)
def kvm_selftest_with_threads():
    """As without CONFIG_KVM_ARM_APF_UFFD. -T says what differs: who has asked, and who waits."""
    selftest("kvm_selftest_with_threads", "icount", "-T", before=WITH_THREADS)


@test("kvm_selftest_with_threads_in_parallel", alone=True)
def kvm_selftest_with_threads_in_parallel():
    selftest("kvm_selftest_with_threads_in_parallel", "mttcg", "-T -n 1000", BUSY_PC,
             before=WITH_THREADS)


def hostile_guest(seed):
    """A part of a million; kvm_selftest has some 20,000. The log has to stay silent, and the slab
    as it was.

    Every other host has a single CPU for it all: vCPU, KVM's threads, the pages' server.
    """
    selftest(f"hostile_guest_a_million_faults_{seed}_of_4", "icount", f"-n {fewer(250000)} -s {seed}",
             only="hostile", smp=1 + seed % 2, timeout=1800)


for part in range(1, 5):
    test(f"hostile_guest_a_million_faults_{part}_of_4", part, seconds=150,
         suite="long")(hostile_guest)
