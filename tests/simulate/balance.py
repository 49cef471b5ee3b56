# SPDX-License-Identifier: GPL-2.0-only
"""What holds of every run, whatever its seed: KVM's statistics and the driver's counters add up.

A line of the contract each: who is announced is claimed, whoever sleeps is woken or killed, a
ready bit was owed.
"""

import dataclasses
import json

from lab.boot import TIMER_LATE
from lab.result import sum_stats
from tests.simulate.job import (MEM_MIB, MEMORY_BASE, PAGE, bound_ms, failing_page, is_announcing,
                                knob)
from tests.simulate.seeds import CUT_SHORT, RESETS
from tests.lives import TOKENS
from tests.vm import CPU_NOISE, check, check_aftermath, check_silent

KILLED, STOPPED, SAVED, MEMORY = 128 + 9, 5, 6, 4
# Exits per vCPU of a guest that sleeps for 400 ms.
IDLE_EXITS = 150
# By these a PPI comes late, from another context, or not at all.
LATE = ("late_ppi", "drop_ppi", "pend_only")
REFUSING = ("fail_alloc", "fail_block")


@dataclasses.dataclass
class Sum:
    """KVM's statistics between two moments; the driver's counters just before and after the second.

    first: those at the first moment.
    """

    host: dict
    before: dict
    after: dict

    def is_exact(self):
        """Nothing moved while the counters were read, but for what says nothing of a fault."""
        return self.before == self.after

    def low(self, *names):
        return sum(self.before[name] for name in names)

    def high(self, *names):
        return sum(self.after[name] for name in names)


def minus(now, then):
    return {name: value - then.get(name, 0) for name, value in now.items()}


def plus(one, other):
    return {name: one.get(name, 0) + value for name, value in other.items()}


def neighbours(records, index):
    """The driver's counters nearest before and after a record."""
    before = [r["guest_apf"] for r in records[:index] if "guest_apf" in r]
    after = [r["guest_apf"] for r in records[index:] if "guest_apf" in r]
    return (before[-1] if before else {}), (after[0] if after else {})


def position(records, name):
    return next((n for n, record in enumerate(records) if record.get("stats") == name), None)


def saved_lives(outcome):
    """KVM's statistics of each life that was saved."""
    life = 0
    while text := outcome.read(f"saved.{life}"):
        yield sum_stats(json.loads(text.splitlines()[1]))
        life += 1


def whole_sum(outcome):
    """KVM's statistics of all lives, from the start to the end."""
    stats = [record for record in outcome.records if "stats" in record]
    total = {}
    for life in [*saved_lives(outcome), *map(sum_stats, stats[-1:])]:
        total = plus(total, life)
    return total


def life_of(config, outcome, name):
    """In which life the guest asked for the statistics of that name."""
    return next(life for life in range(config["lives"] + 1)
                if f'"stats":"{name}"' in outcome.read(f"result.{life}"))


def take_sum(config, outcome):
    """From the job's first step, of the last boot, to its last one."""
    records = outcome.records
    again = config["life"] in RESETS
    first = position(records, "again" if again else "go")
    guest_first, guest_then = neighbours(records, first)
    if not again:       # nothing moves before the first step
        guest_then = guest_first
    found = None
    for name in ("q0", "q1", "q2"):
        earlier = {}
        for stats in list(saved_lives(outcome))[:life_of(config, outcome, name)]:
            earlier = plus(earlier, stats)
        index = position(records, name)
        before, after = neighbours(records, index)
        before, after = minus(before, guest_then), minus(after, guest_first)
        host = minus(plus(earlier, sum_stats(records[index])),
                     sum_stats(records[first]))
        found = Sum(host, before, after)
        if found.is_exact():
            break
    return found


def has_late_kernel(config):
    """Whether the guest's kernel itself may be missing, and with it any access may fault."""
    return config["life"] == "saved" or config["evict"] in ("all", "ram")


def offline_times(config):
    return sum(values["toggles"] for values in config["rounds"] if values["turn"] == "hotplug")


def complaints_of_announcing(config, total, lives):
    """Yields what does not add up."""
    host, name = total.host, (knob(config) or (None,))[0]
    announced, ready = host["apf_announced"], host["apf_ready"]
    offline, saved = offline_times(config), config["life"] == "saved"

    # Each announcement is claimed: by a sleeper, or declined, or spurious. One that a CPU had not
    # claimed when it went, since its PPI was late, is gone.
    low = total.low("announced", "spurious", "declined")
    high = total.high("announced", "spurious", "declined")
    lost = offline if name in LATE else 0
    if not low <= announced <= high + lost:
        yield f"announced {announced}, claimed {low} to {high}"

    if total.low("woken", "killed") > total.high("announced") or \
       total.high("woken", "killed") < total.low("announced"):
        yield f"of {total.before['announced']} sleepers {total.before['woken']} were woken, " \
              f"{total.before['killed']} killed"

    # Ready bits are owed for what was announced, once for each page; and all after a restore.
    woken = TOKENS * config["cpus"] * lives
    if ready > announced + woken:
        yield f"ready {ready}, though {announced} were announced, and {woken} owed after restores"
    if not saved and ready < announced - host["apf_repeated"] - TOKENS * offline:
        yield f"ready {ready} of {announced} announced, {host['apf_repeated']} of them repeated"
    if total.low("ready") > ready or \
       (total.high("ready") < ready and not offline and not saved):
        yield f"ready bits: {ready} were set, {total.before['ready']} taken"

    if host["apf_declined"] > total.high("declined") and name != "fail_block":
        yield f"declined: {host['apf_declined']} seen, {total.after['declined']} said"
    if config["level"] == "announce" and total.after["kernel"]:
        yield f"kernel {total.after['kernel']}, which is not asked for"
    if total.high("returned") < total.low("announced"):
        yield f"announced {total.before['announced']}, returned {total.after['returned']}"
    if total.after["spurious"] and name not in LATE and not has_late_kernel(config):
        yield f"spurious {total.after['spurious']}, though each PPI is taken at once"


def asks_to_be_told(config):
    """Whether some access is certain to be one that the guest wants to be told of."""
    if config["level"] != "announce":
        return is_announcing(config)
    # One access brings a huge page for all rounds, and it may be the kernel's.
    if config["backing"] == "hugetlb":
        return config["rounds"][0]["syscall"] == "none"
    return any(values["syscall"] != "all" for values in config["rounds"])


def complaints_of_all(config, whole):
    """Of KVM's statistics from the start to the end: a run in which nothing happened has failed."""
    why = sum(count for name, count in whole.items() if name.startswith("apf_sync_"))
    if why != whole["apf_sync"]:
        yield f"apf_sync {whole['apf_sync']}, and {why} for the reasons that are counted"
    if asks_to_be_told(config) and not whole["apf_announced"]:
        yield "nothing was announced"
    # A halt that is held until the page has come does not happen.
    if config["level"] == "halt" and config["knob"] != "hold_halt" and not whole["apf_halted"]:
        yield "no vCPU halted"


def complaints_of_counts(config, total, lives):
    name = (knob(config) or (None,))[0]
    if is_announcing(config):
        yield from complaints_of_announcing(config, total, lives)
    else:
        told = ["apf_announced", "apf_ready", "apf_declined", "apf_repeated", "apf_batches"]
        told += ["apf_halted"] * (config["level"] == "off" and not lives)
        yield from (f"{stat} {total.host[stat]} at level {config['level']}"
                    for stat in told if total.host[stat])
    if config["level"] != "off" and name not in REFUSING and not has_late_kernel(config) and \
       total.host["apf_sync"]:
        yield f"{total.host['apf_sync']} faults were waited for as without APF"


def complaints_at_the_end(config, outcome):
    """Of an idle guest: no page is owed, and it costs the host nothing."""
    end = outcome.record("still")
    # An idle CPU may just be waiting for a page of the kernel's.
    allowed = config["cpus"] if has_late_kernel(config) else 0
    if end["uffd"]["waiting"] > allowed or not end["uffd"]["requests"]:
        yield f"pages: {end['uffd']}"
    if life_of(config, outcome, "q2") != life_of(config, outcome, "still"):
        return
    exits = outcome.stats("still")["exits"] - outcome.stats("q2")["exits"]
    if exits > IDLE_EXITS * config["cpus"]:
        yield f"an idle guest left KVM_RUN {exits} times in 400 ms"


def check_statuses(config, outcome):
    """How each life ended. Return: how often the VM was restored."""
    statuses = [int(word) for word in outcome.read("statuses").split()]
    wanted = {"killed": KILLED, "stopped": STOPPED}.get(config["life"], 0)
    if config["failing"]:
        wanted = MEMORY
    assert statuses[-1:] != [STOPPED] or wanted == STOPPED, \
        f"not done within {bound_ms(config)} ms of virtual time\n{outcome.read('vmm.err')}"
    assert statuses[:-1] == [SAVED] * (len(statuses) - 1) and statuses[-1:] == [wanted], \
        f"apfvm: status {statuses}, not {wanted} in the end\n{outcome.read('vmm.err')}"
    return len(statuses) - 1


def guest_noise(config):
    """What a guest may say: a vCPU whose thread had to wait for a CPU finds its timer late."""
    return (TIMER_LATE, *(CPU_NOISE if offline_times(config) else ()))


def check_failed_page(config, outcome):
    ipa = MEMORY_BASE + (MEM_MIB << 20) + failing_page(config) * PAGE
    said = outcome.read("vmm.err")
    assert "cannot be had" in said and (f"0x{ipa:x}" in said or "IPA not known" in said), said


def check_outcome(config, outcome):
    """Raises AssertionError, or ResultError. Returns the sum, None of a life cut short."""
    lives = check_statuses(config, outcome)
    check_aftermath(outcome)
    noise = guest_noise(config)
    if config["life"] in CUT_SHORT:
        check_silent(outcome, guest_may_say=noise)
        return None
    if config["failing"]:
        check(outcome, status=MEMORY, host_may_say=("poison",), guest_may_say=noise)
        check_failed_page(config, outcome)
        return None
    check(outcome, guest_may_say=noise)
    total = take_sum(config, outcome)
    said = [*complaints_of_all(config, whole_sum(outcome)),
            *complaints_of_counts(config, total, lives), *complaints_at_the_end(config, outcome)]
    assert not said, "; ".join(said) + f"\nhost: {json.dumps(total.host)}\nguest: " \
        f"{json.dumps(total.before)} to {json.dumps(total.after)}"
    return total
