# SPDX-License-Identifier: GPL-2.0-only
"""A guest all of whose memory goes missing again and again, while it works.

Whatever the level, each word of each page is what was written there: the VMM keeps what it
takes away. That the pages do go, how often they are asked for, and what the vCPUs do about it,
is counted.
"""

import json

from lab.harness import test
from lab.result import sum_stats
from tests.vm import Vm, check, command_line, expect, fewer, run

MS = 1000
# What a round takes comes back in less time than there is until the next one.
EVICT = "every=10,pages=256,full=40"
DELAY = 0.5
ROUNDS = MS // 10 * 3 // 4
LAST = ("evict off", "stats off", "sleep 100", "stats later", "ps-d", "apf")
STEPS = ("run --tasks 8 --pages 256 --half-syscall", "evict on",
         "run --tasks 8 --pages 256 --skip 256 --write --half-syscall --label cold",
         "stats on", "keep --tasks 8 --pages 64 --rest 500 --half-syscall", f"sleep {MS}", "stop",
         *LAST)


def difference(outcome, begin, end):
    """Of all counts, the VMM's and the sums of KVM's, between two of the guest's requests."""
    first, last = ({**sum_stats(record), **record["uffd"], **record["evict"]}
                   for record in map(outcome.record, (begin, end)))
    return {key: last[key] - first[key] for key in last}


def evicted(name, level, spec=EVICT, steps=STEPS, args=(), rounds=ROUNDS, **options):
    """Returns the outcome, checked, and what was counted while pages went."""
    outcome = run(name, Vm(
        level=level, policy=(f"all:delay={DELAY}", f"ram:delay={DELAY}"), steps=steps,
        args=("--mem", "128", "--evict", spec, *args), timeout=300, **options))
    check(outcome)
    assert outcome.find("evictor") == ["on", "off"], outcome.find("evictor")
    counts = difference(outcome, "on", "off")
    # In a round that takes all there are more.
    expect(counts, rounds=(fewer(rounds), None), pages=(fewer(rounds) * 16, None),
           requests=(fewer(rounds) * 8, None), failed=0)
    expect(difference(outcome, "off", "later"), rounds=0, pages=0)
    assert outcome.find("run")[-1]["pages_verified"] > 1000, outcome.find("run")
    return outcome, counts


@test("evicted_without_apf", seconds=40)
def evicted_without_apf():
    _, counts = evicted("evicted_without_apf", "off")
    expect(counts, apf_announced=0, apf_halted=0, apf_sync=0)


def evicted_and_halted(name, cpus):
    _, counts = evicted(name, "halt", cpus=cpus)
    expect(counts, apf_announced=0, apf_halted=(fewer(300), None))


def evicted_and_announced(name, cpus, level="kernel"):
    outcome, counts = evicted(name, level, cpus=cpus)
    expect(counts, apf_announced=(fewer(300), None), apf_ready=(fewer(300), None))
    guest = outcome.find("guest_apf")[-1]
    expect(guest, killed=0, woken=(fewer(100), None),
           kernel=(fewer(20), None) if level == "kernel" else 0)


for cpu_count in (1, 2):
    for run_it, what, rest in ((evicted_and_halted, "halted", ()),
                               (evicted_and_announced, "announced", ()),
                               (evicted_and_announced, "announced_to_user_only", ("announce",))):
        test_name = f"evicted_and_{what}_on_{cpu_count}"
        test(test_name, test_name, cpu_count, *rest, seconds=40)(run_it)


@test("evicted_across_a_reset", seconds=40)
def evicted_across_a_reset():
    """The next kernel is loaded, and boots, into memory that goes on to go missing."""
    work = ("keep --tasks 8 --pages 64 --rest 500 --half-syscall", "sleep 300")
    # A kernel that boots needs many pages, one after the other.
    outcome, counts = evicted(
        "evicted_across_a_reset", "kernel", "every=10,pages=256", cpus=2, rounds=8,
        steps=("evict on", *work, "stats boot", "reboot"),
        args=("--policy", "ram:delay=0.1", "--append",
              command_line(("stats on", *work, "stop", *LAST))))
    assert outcome.record("on")["evict"]["rounds"] > outcome.record("boot")["evict"]["rounds"], \
        "no page went while the second kernel booted"
    expect(counts, apf_announced=(fewer(50), None))


RESTORED = """
vmm &
until grep -q '"stats":"go"' /out/result 2>/dev/null; do sleep 0.01; done
sleep 0.2
kill -USR2 $(pidof apfvm)
wait
[ "$(cat /out/status)" = 6 ] || exit 97
mv /out/result /out/result.0
cp /tmp/vm.json /out/saved
apfvm --restore /tmp/vm --evict {spec},now --policy all:delay={delay} --policy ram:delay={delay} \\
	--result /out/result --console /out/console 2>>/out/vmm.err
echo $? >/out/status
cat /out/result.0 /out/result >/out/both
mv /out/both /out/result
"""


@test("evicted_saved_and_restored", seconds=40)
def evicted_saved_and_restored():
    """What is out when it is saved is in the file; what was never asked for again goes on from there."""
    outcome, counts = evicted(
        "evicted_saved_and_restored", "kernel", cpus=2, rounds=20,
        steps=("evict on", "keep --tasks 8 --pages 64 --rest 500 --half-syscall", "stats go",
               "sleep 1000", "stats on", "sleep 400", "stop", *LAST),
        args=("--save", "/tmp/vm"),
        script=RESTORED.format(spec=EVICT, delay=DELAY))
    saved = json.loads(outcome.read("saved").splitlines()[1])
    assert saved["evict"]["out"] > 500, saved["evict"]
    expect(counts, apf_announced=(fewer(50), None))
