# SPDX-License-Identifier: GPL-2.0-only
"""From a seed to a configuration: one value for each dimension of the table below.

Pure. A dimension draws by a hash of the seed and of its own name, so that a new
dimension leaves the values that a seed has in the others as they are.
"""

import dataclasses
import hashlib


@dataclasses.dataclass(frozen=True)
class Span:
    """All whole numbers from low to high, each as likely as the others."""

    low: int
    high: int

    def pick(self, number):
        return self.low + number % (self.high - self.low + 1)

    def has(self, value):
        return isinstance(value, int) and self.low <= value <= self.high


@dataclasses.dataclass(frozen=True)
class Choice:
    """Values by weight."""

    weights: tuple

    def pick(self, number):
        number %= sum(weight for _, weight in self.weights)
        for value, weight in self.weights:
            if number < weight:
                return value
            number -= weight
        raise AssertionError("not reached: the weights' sum is above the number")

    def has(self, value):
        return value in (value for value, _ in self.weights)


def choice(*weights):
    return Choice(weights)


# Times are in ms. What a value makes the run do: job.py.
DIMENSIONS = {
    "level": choice(("off", 1), ("halt", 3), ("announce", 5), ("kernel", 7)),
    "cpus": choice((1, 6), (2, 6), (4, 1)),
    "host_cpus": choice((1, 1), (2, 3)),
    "cold_mib": choice((8, 2), (16, 1)),
    "backing": choice(("anon", 7), ("shmem", 2), ("hugetlb", 1)),
    "intid": choice((16, 5), (17, 1), (24, 1)),
    "dirty_log": choice((False, 6), (True, 1)),
    "rounds": choice((1, 2), (2, 3), (3, 1)),
    # Of the pages: the first half comes like this, the other half maybe otherwise.
    "delay": choice((0, 1), (0.1, 2), (1, 3), (5, 3), (20, 3), (60, 1)),
    "batch": choice((1, 5), (2, 1), (4, 1), (16, 1)),
    "order": choice(("fifo", 1), ("lifo", 1), ("shuffle", 1)),
    "other_delay": choice((None, 3), (0, 1), (3, 1), (27, 1), (60, 1)),
    "failing": choice((None, 16), ("at once", 1), ("late", 1)),
    "knob": choice((None, 8), ("late_ppi", 2), ("drop_ppi", 2), ("fail_alloc", 2),
                   ("fail_block", 2), ("rival", 2), ("pend_only", 2), ("hold_done", 2),
                   ("hold_halt", 2)),
    "knob_value": Span(0, 3),
    # Userfaults go to threads, as other pages do.
    "threads": choice((False, 2), (True, 1)),
    "churn": choice((None, 8), ("delete", 1), ("move", 1), ("ro", 1), ("log", 1),
                    ("collapse", 1)),
    "churn_ms": choice((3, 1), (7, 2), (20, 1)),
    # Pages taken away while the rounds last, how many and how often.
    "evict": choice((None, 6), ("all", 2), ("ram", 1), ("cold", 1)),
    "evict_pages": choice((64, 1), (256, 2), (1024, 1)),
    "evict_ms": choice((10, 1), (30, 2), (80, 3)),
    # Each so many rounds all of it.
    "evict_full": choice((0, 1), (1, 1), (2, 1)),
    # The turn that its life takes.
    "life": choice(("plain", 8), ("saved", 3), ("reboot", 1), ("sysrq", 1), ("reset", 1),
                   ("killed", 1), ("stopped", 1)),
    "moment": Span(0, 300),
    "lives": Span(1, 3),
    "life_ms": Span(20, 400),
    "ram_delay": choice((0, 2), (0.1, 2), (1, 1)),
    "parameters": choice(("on", 1), ("on off halt", 1), ("off", 1), ("halt", 1)),
    "qemu_seed": Span(1, 1 << 30),
}

# Drawn for each round anew.
ROUND = {
    "tasks": choice((1, 1), (2, 1), (4, 2), (8, 3), (16, 2), (40, 1)),
    "pages": choice((16, 1), (64, 3), (128, 2), (256, 1)),
    "layout": choice(("interleaved", 3), ("blocked", 2), ("same-page", 1)),
    "write": choice((False, 1), (True, 1)),
    "syscall": choice(("none", 3), ("half", 2), ("all", 2)),
    "fp": choice((False, 6), (True, 1)),
    "compute_us": choice((0, 2), (20, 2), (200, 1)),
    "pin": choice(("none", 3), ("each", 2), ("one", 1)),
    "company": choice((None, 5), ("bystander", 2), ("timers", 1), ("ipis", 1)),
    "where": choice(("fresh", 4), ("again", 1)),
    # Threads that exit with their last words on missing pages.
    "exits": choice((0, 4), (1, 1), (8, 1), (32, 1)),
    "turn": choice((None, 5), ("killed", 2), ("hotplug", 2)),
    "turn_ms": Span(20, 150),
    "toggles": Span(2, 6),
    "toggle_ms": Span(1, 60),
}

ROUNDS_MAX = 3
# Values that a knob takes (host/apf-knobs.c), by "knob_value".
KNOBS = {
    "late_ppi": (1, 3, 60, 600),
    "drop_ppi": (1, 5, 20, 100),
    "fail_alloc": (2, 3, 4, 16),
    "fail_block": (3, 5, 7, 17),
    "rival": (1, 1, 1, 1),
    "pend_only": (1, 2, 1, 2),
    "hold_done": (1, 5, 12, 30),
    "hold_halt": (1, 5, 12, 30),
}
# A life that ends before its job does.
CUT_SHORT = ("killed", "stopped")
RESETS = ("reboot", "sysrq", "reset")

# What excludes what: where all of the first holds, the second is what there is instead. In order.
RULES = (
    # apfvm saves anonymous cold memory only, and says which combinations it does not know.
    ({"life": ("saved",)}, {"backing": "anon"}),
    ({"life": RESETS}, {"churn": None}),
    ({"backing": ("shmem", "hugetlb")}, {"churn": None, "evict": None}),
    ({"churn": ("delete", "move", "ro", "log", "collapse")}, {"dirty_log": False}),
    # A page that cannot be had is the end of the VM: nothing else is to be.
    ({"life": ("saved", *RESETS, *CUT_SHORT)}, {"failing": None}),
    ({"churn": ("delete", "move", "ro", "log", "collapse")}, {"failing": None}),
    ({"backing": ("hugetlb",)}, {"failing": None}),
    ({"evict": ("all", "ram", "cold")}, {"failing": None}),
    # What the guest needs of a round's pages has to be back before the next round: or nobody gets on.
    ({"evict_ms": (10,)}, {"evict_pages": 64}),
    ({"evict_ms": (30,), "evict_pages": (1024,)}, {"evict_pages": 256}),
    ({"evict_ms": (10, 30)}, {"evict_full": 0}),
    ({"evict_full": (1, 2), "ram_delay": (1,)}, {"ram_delay": 0.1}),
    ({"evict": ("all", "cold"), "evict_full": (1, 2), "delay": (20, 60)}, {"delay": 5}),
    ({"evict": ("all", "cold"), "evict_full": (1, 2), "other_delay": (27, 60)}, {"other_delay": 3}),
    ({"evict": ("all", "ram"), "knob": ("hold_halt", "hold_done")}, {"knob": None}),
    # A restored VM starts with the knob: its first KVM_RUN would say ENOMEM.
    ({"life": ("saved",), "knob": ("fail_alloc",)}, {"knob": None}),
)
ROUND_RULES = (
    ({"fp": (True,), "syscall": ("all",)}, {"syscall": "half"}),
    ({"pin": ("one",), "company": ("timers", "ipis")}, {"company": None}),
    # Threads on a CPU that goes.
    ({"turn": ("hotplug",), "company": ("timers", "ipis")}, {"company": None}),
    ({"layout": ("same-page",), "pages": (128, 256)}, {"pages": 64}),
    ({"pages": (16,), "tasks": (40,)}, {"tasks": 16}),
)


def drawn(seed, name):
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "big")


def apply(rules, values):
    for when, then in rules:
        if all(values[name] in allowed for name, allowed in when.items()):
            values.update(then)


def draw_round(seed, number, config):
    values = {name: dimension.pick(drawn(seed, f"{name} of {number}"))
              for name, dimension in ROUND.items()}
    apply(ROUND_RULES, values)
    if config["failing"]:
        values["exits"] = 0
    if config["failing"] or (values["turn"] == "hotplug" and config["cpus"] == 1):
        values["turn"] = None
    # Where memory is missing, a CPU may go before the thread that belongs to it has been started.
    missing = config["life"] == "saved" or config["evict"]
    if missing and values["turn"] == "hotplug" and values["pin"] == "each":
        values["pin"] = "none"
    # A write to a read-only slot is an MMIO exit, and apfvm has no device there.
    if config["churn"] == "ro":
        values.update(write=False, exits=0)
    if number == 0:
        values["where"] = "fresh"
    return values


def configuration(seed):
    """All that a run's course follows from."""
    values = {name: dimension.pick(drawn(seed, name)) for name, dimension in DIMENSIONS.items()}
    apply(RULES, values)
    values["rounds"] = [draw_round(seed, number, values) for number in range(values["rounds"])]
    return {"seed": seed, **values}


def traits(config):
    """(dimension, value) of all that a configuration has: what the coverage counts."""
    for name, value in config.items():
        if name in ("seed", "rounds") or isinstance(DIMENSIONS[name], Span):
            continue
        yield name, value
    yield "rounds", len(config["rounds"])
    for values in config["rounds"]:
        yield from ((name, value) for name, value in values.items()
                    if not isinstance(ROUND[name], Span))
