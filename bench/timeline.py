# SPDX-License-Identifier: GPL-2.0-only
"""From the logs and traces of one run to lanes of intervals, in ms of a window of it."""

import dataclasses
import re

from lab.result import ResultError

TRACE_LINE = re.compile(r"\s*(?P<comm>.+)-(?P<pid>\d+)\s+\[(?P<cpu>\d+)\]\s+\S+\s+"
                        r"(?P<time>\d+\.\d+): (?P<event>\w+): (?P<text>.*)")
SWITCH = re.compile(r"prev_comm=(?P<prev>.+) prev_pid=.* ==> next_comm=(?P<next>.+) next_pid=")
TASK = re.compile(r"task-(\d+)$")
EXIT_CLASS = re.compile(r"HSR_EC: 0x(\w+)")
FAULT_IPA = re.compile(r"ipa (?:0x)?([0-9a-f]+)")
EC_WFX = 0x01


@dataclasses.dataclass
class Event:
    ms: float
    comm: str
    name: str
    text: str


@dataclasses.dataclass
class Lanes:
    """Intervals are pairs (begin, end) in ms since the window began."""

    end: float
    waiting: dict       # task -> until its page is there
    running: dict       # task -> on the CPU, by the guest's scheduler
    alive: dict         # task -> until its end
    wakeups: list       # of the bystander
    stalled: list       # the vCPU stands still in the host: a page is missing
    idle: list          # the vCPU waits for an interrupt because the guest has nothing to do
    pages: int          # that came within the window


class Clock:
    """Counter -> ms since the window began, which is skip ms after the run did."""

    def __init__(self, run, skip):
        self.hz = run["counter_hz"]
        self.start = run["t0"] + skip * self.hz // 1000

    def ms(self, ticks):
        return (ticks - self.start) * 1000 / self.hz


def parse_trace(lines, clock, name):
    """Events of a trace whose clock is mono_raw, by way of its cntvct marker."""
    matches = [match for match in map(TRACE_LINE.match, lines) if match]
    marker = next((m for m in matches if m["text"].startswith("cntvct ")), None)
    if not marker:
        raise ResultError(f"{name}: the trace has no marker with the counter's value")
    shift = clock.ms(int(marker["text"].split()[1])) - float(marker["time"]) * 1000
    return [Event(float(m["time"]) * 1000 + shift, m["comm"].strip(), m["event"], m["text"])
            for m in matches]


def touches(records):
    """Task -> its touches, each (before, after) in ticks."""
    found = {}
    for record in records:
        if "touches" in record:
            found.setdefault(record["task"], []).extend(record["touches"])
    return found


def clip(intervals, end):
    return [(max(a, 0), min(b, end)) for a, b in intervals if b > 0 and a < end]


def subtract(intervals, holes):
    """What of intervals is not in holes; both sorted, none overlapping."""
    left = []
    for begin, end in intervals:
        for a, b in holes:
            if b <= begin or a >= end:
                continue
            if a > begin:
                left.append((begin, a))
            begin = max(begin, b)
        if begin < end:
            left.append((begin, end))
    return left


def on_cpu(events, end):
    """Task -> intervals in which the guest's scheduler had it on the CPU."""
    intervals, since = {}, {}
    for event in events:
        match = SWITCH.search(event.text) if event.name == "sched_switch" else None
        if not match:
            continue
        if previous := TASK.match(match["prev"]):
            task = int(previous[1])
            intervals.setdefault(task, []).append((since.pop(task, events[0].ms), event.ms))
        if following := TASK.match(match["next"]):
            since[int(following[1])] = event.ms
    for task, begin in since.items():
        intervals.setdefault(task, []).append((begin, end))
    return intervals


def vcpu_away(events, cold_first, cold_end):
    """(stalled, idle): the times between an exit and the next entry that last.

    An exit for WFI is the guest's own wish; one in which KVM saw a fault on cold
    memory is a stall. All other exits are short, and count as running.
    """
    stalled, idle = [], []
    exited = None
    for event in events:
        if event.name == "kvm_exit":
            match = EXIT_CLASS.search(event.text)
            exited, fault = event.ms, False
            wfx = bool(match) and int(match[1], 16) == EC_WFX
        elif event.name == "kvm_guest_fault" and exited is not None:
            match = FAULT_IPA.search(event.text)
            fault |= bool(match) and cold_first <= int(match[1], 16) < cold_end
        elif event.name == "kvm_entry" and exited is not None:
            if wfx or fault:
                (idle if wfx else stalled).append((exited, event.ms))
            exited = None
    return stalled, idle


def until_served(log, served, clock):
    """Task -> intervals from a touch to the moment its page came.

    From then on the task is ready, even if it gets the CPU only later. Page n of
    a task is page n * tasks + task: the workload's interleaved layout.
    """
    waiting = {}
    for task, list_ in log.items():
        waiting[task] = [(clock.ms(before),
                          clock.ms(min(after, served.get(n * len(log) + task, after))))
                         for n, (before, after) in enumerate(list_)]
    return waiting


def lanes(records, marks, host_trace, run, cold, window, name):
    """All that the picture shows of one run; window is (skip, length) in ms."""
    clock = Clock(run, window[0])
    end = min(window[1], clock.ms(run["t1"]))
    log = touches(records)
    if not log or end <= 0:
        raise ResultError(f"{name}: apfload left no log of this part of the run")
    guest = parse_trace([r["trace_line"] for r in records if "trace_line" in r], clock, name)
    stalled, idle = vcpu_away(parse_trace(host_trace, clock, f"{name}, host"), *cold)
    served = {mark["page"]: mark["t"] for mark in marks if mark["ev"] == "serve"}
    cpu = on_cpu(guest, clock.ms(run["t1"]))
    waiting = until_served(log, served, clock)
    wakeups = [clock.ms(w) for r in records if "wakeups" in r for w in r["wakeups"]]
    return Lanes(
        end=end,
        waiting={task: clip(waiting[task], end) for task in log},
        running={task: clip(subtract(cpu.get(task, []), waiting[task]), end) for task in log},
        alive={task: clip([(0.0, clock.ms(list_[-1][1]))] + cpu.get(task, [])[-1:], end)
               for task, list_ in log.items()},
        wakeups=[w for w in wakeups if 0 <= w <= end],
        stalled=clip(stalled, end),
        idle=clip(idle, end),
        pages=sum(0 <= clock.ms(t) <= end for t in served.values()),
    )
