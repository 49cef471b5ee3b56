# SPDX-License-Identifier: GPL-2.0-only
"""A VM whose life takes a turn while faults are in flight, and what holds after it.

No task lost, each page as it should be, no warning, no thread left when the VMM is
gone, and a guest that has nothing to do costs the host next to nothing.
"""

import itertools

from tests.vm import (AFTERMATH, UNTIL_SEEN, Vm, check, check_aftermath, command_line, expect, run)

# The guest's last steps: by then it is idle, for longer than it is looked at. Not at once: a
# kernel that has just booted, with several CPUs, has a few things left to do.
IDLE = ("ps-d", "apf", "stats idle", "sleep 4500")
IDLE_PERCENT = 1

# What the VMM's threads have run, in ns, in each of two seconds of virtual time.
SCENARIO = """
{until_seen}
ran() {{ cat /proc/$(pidof apfvm)/task/*/schedstat | awk '{{ ns += $1 }} END {{ printf "%d\\n", ns }}'; }}
{before}
vmm &
{meanwhile}
until_seen '"stats":"idle"'
sleep 2
ran >/out/ran
for second in 1 2; do
	sleep 1
	ran >>/out/ran
done
wait
""" + AFTERMATH


def live(name, *boots, before="", meanwhile="", args=(), appends=(),
         guest_may_say=(), host_may_say=(), **options):
    """Run it, to an idle end. Returns the outcome, checked for all but the counts.

    boots: the steps of each boot; a reset leads from one to the next. appends: what the
    later ones have on their command lines.
    """
    boots = [*boots[:-1], (*boots[-1], *IDLE)]
    for steps, append in itertools.zip_longest(boots[1:], appends, fillvalue=""):
        args = (*args, "--append", command_line(steps, append))
    outcome = run(name, Vm(steps=boots[0], args=args, **options, script=SCENARIO.format(
        until_seen=UNTIL_SEEN, before=before, meanwhile=meanwhile)))
    check(outcome, guest_may_say=guest_may_say, host_may_say=host_may_say)
    check_aftermath(outcome)
    check_idle(outcome)
    return outcome


def check_idle(outcome):
    # What a guest does once, such as to balance its tasks after CPUs came, is in one second only.
    ran = list(map(int, outcome.read("ran").split()))
    percent = min(last - first for first, last in itertools.pairwise(ran)) / 1e7
    assert percent < IDLE_PERCENT, f"an idle guest costs {percent:.2f} % of a CPU"


def check_in_flight(outcome, faults, name="waiting"):
    """The turn came while that many tasks waited, or the test shows nothing."""
    stats = outcome.stats(name)
    expect(stats, apf_sync=0)
    waiting = stats["apf_announced"] - stats["apf_ready"]
    assert waiting == faults, f"{waiting} faults in flight, not {faults}"
