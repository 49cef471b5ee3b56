# SPDX-License-Identifier: GPL-2.0-only
"""The generator of `make simulate`: pure, so that it can be looked at without a QEMU."""

import collections
import json

from lab.harness import test
from tests.simulate import balance, job, seeds

MANY = range(1, 2001)
# Of a kernel's command line on arm64, and of what a job's words go into (load/guest.h).
COMMAND_LINE, JOB_WORDS = 2048, 512
POLICIES = 15


@test("simulate: a seed's configuration is always the same")
def same():
    for seed in MANY[:200]:
        first, again = seeds.configuration(seed), seeds.configuration(seed)
        assert json.dumps(first) == json.dumps(again), seed
    # A change of these numbers makes every seed another one: then say so in the commit.
    assert seeds.drawn(1, "level") == 0x3292ae98f1deb169, hex(seeds.drawn(1, "level"))


@test("simulate: each value is one of the table's, and no rule is broken")
def in_bounds():
    for seed in MANY:
        config = seeds.configuration(seed)
        assert set(config) == {"seed", *seeds.DIMENSIONS}, seed
        assert 1 <= len(config["rounds"]) <= seeds.ROUNDS_MAX, seed
        for name, dimension in seeds.DIMENSIONS.items():
            assert name == "rounds" or dimension.has(config[name]), (seed, name, config[name])
        for values in config["rounds"]:
            for name, dimension in seeds.ROUND.items():
                assert dimension.has(values[name]), (seed, name, values[name])
            assert values["layout"] == "same-page" or values["pages"] >= values["tasks"], seed
        broken = [when for when, then in seeds.RULES
                  if all(config[name] in allowed for name, allowed in when.items())
                  and any(config[name] != value for name, value in then.items())]
        assert not broken, (seed, broken)


@test("simulate: two hundred seeds have every value of every dimension")
def covered():
    found = collections.defaultdict(set)
    for seed in MANY[:200]:
        for name, value in seeds.traits(seeds.configuration(seed)):
            found[name].add(value)
    missing = [(name, value) for name, dimension in {**seeds.DIMENSIONS, **seeds.ROUND}.items()
               if isinstance(dimension, seeds.Choice)
               for value, _ in dimension.weights if value not in found[name]]
    assert not missing, missing
    assert len({json.dumps({**seeds.configuration(seed), "seed": 0}) for seed in MANY}) == len(MANY)


@test("simulate: a job fits into what carries it, and has a bound")
def fits():
    for seed in MANY:
        config = seeds.configuration(seed)
        vm = job.vm(config)
        lines = [job.command_line(steps, vm.guest_append()) for steps in job.boots(config)]
        assert max(map(len, lines)) < COMMAND_LINE, (seed, max(map(len, lines)))
        assert max(len(line.replace(",", " ").split()) for line in lines) < JOB_WORDS, seed
        assert len(vm.policy) + 1 <= POLICIES, seed
        last = max(skip + values["pages"] for values, skip in job.placed_rounds(config))
        assert last + 256 <= job.EXIT_PAGES, seed
        assert 15000 <= job.bound_ms(config) < 1200000, (seed, job.bound_ms(config))


def total(**changes):
    host = dict.fromkeys(("apf_announced", "apf_repeated", "apf_declined", "apf_halted", "apf_sync",
                          "apf_ready", "apf_batches"), 0)
    guest = dict.fromkeys(("announced", "spurious", "declined", "kernel", "ready", "slept", "woken",
                           "killed", "returned"), 0)
    host.update(apf_announced=10, apf_ready=10)
    guest.update(announced=10, ready=10, woken=10, returned=10)
    for name, value in changes.items():
        (host if name in host else guest)[name] = value
    return balance.Sum(host, guest, guest)


@test("simulate: what does not add up is seen")
def adds_up():
    config = {**seeds.configuration(1), "level": "kernel", "life": "plain", "knob": None,
              "churn": None, "evict": None,
              "rounds": [{**seeds.configuration(1)["rounds"][0], "turn": None}]}

    def said(**changes):
        return list(balance.complaints_of_counts(config, total(**changes), 0))
    assert not said()
    for wrong in ({"apf_announced": 11}, {"apf_announced": 9}, {"woken": 9}, {"killed": 1},
                  {"apf_ready": 11}, {"apf_ready": 9}, {"ready": 9}, {"apf_declined": 1},
                  {"returned": 9}, {"apf_sync": 1}, {"spurious": 1, "announced": 9}):
        assert said(**wrong), wrong
    config["level"] = "halt"
    assert said()
