# SPDX-License-Identifier: GPL-2.0-only
"""The result protocol: from the lines that a guest and its VMM have said to checked figures."""

import json

# Name in the JSON -> statistic of KVM's vCPU.
KVM_STATS = {
    "announced": "apf_announced",
    "repeated": "apf_repeated",
    "declined": "apf_declined",
    "halted": "apf_halted",
    "sync": "apf_sync",
    "ready": "apf_ready",
    "batches": "apf_batches",
    "stage2_aborts": "stage2_aborts",
    "hypercalls": "hvc_exit_stat",
}


class ResultError(Exception):
    """A run is missing or wrong; the message says which and how."""


def parse(text, name):
    """The records of one VM, in order. A damaged line is an error, not skipped."""
    records = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ResultError(f"{name}: line {number} of the result is no JSON "
                              f"({error.msg}): {line[:80]}") from None
    return records


def check_end(records, name):
    """A guest that did not report its end, or not a good one, has no figures."""
    complaints = [r["error"] for r in records if "error" in r]
    done = [r for r in records if "done" in r]
    if complaints:
        raise ResultError(f"{name}: the guest says: {'; '.join(complaints)}")
    if not done:
        raise ResultError(f"{name}: the guest did not come to its end")
    if done[-1]["status"]:
        raise ResultError(f"{name}: the guest's job ended with status {done[-1]['status']}")


def check_silent(records, name):
    lines = [line for record in records for line in record.get("klog", ())]
    if lines:
        raise ResultError(f"{name}: the guest's kernel logged: {'; '.join(lines)}")


def sum_stats(record):
    total = {}
    for vcpu in record["vcpus"]:
        for stat, value in vcpu.items():
            total[stat] = total.get(stat, 0) + value
    return total


def difference(before, after, key):
    return after.get(key, 0) - before.get(key, 0)


def find_run(records, label, name):
    """Index of a run's record, with the statistics around it."""
    stats = {r["stats"]: sum_stats(r) for r in records if "stats" in r}
    for index, record in enumerate(records):
        if "run" in record and record["run"]["label"] == label:
            missing = {f"{label}-begin", f"{label}-end"} - stats.keys()
            if missing:
                raise ResultError(f"{name}: statistics {', '.join(sorted(missing))} are missing")
            return index, stats[f"{label}-begin"], stats[f"{label}-end"]
    raise ResultError(f"{name}: run {label} is missing")


def guest_spurious(records, index):
    """Counted by the driver in the guest, if it has one: nearest before and after."""
    before = [r["guest_apf"] for r in records[:index] if "guest_apf" in r]
    after = [r["guest_apf"] for r in records[index:] if "guest_apf" in r]
    return difference(before[-1] if before else {}, after[0] if after else {}, "spurious")


def run_figures(records, label, name):
    """All figures of one run, as they go into the JSON."""
    index, before, after = find_run(records, label, name)
    run = records[index]["run"]
    figures = {key: run[key] for key in
               ("wall_ms", "faults", "pages_verified", "pages_bad", "work_done", "bystander")}
    if run["bystander"]:
        figures["bystander_worst_gap_ms"] = run["bystander"]["worst_gap_ms"]
        figures["bystander_p99_gap_ms"] = run["bystander"]["p99_gap_ms"]
    for key, stat in KVM_STATS.items():
        figures[key] = difference(before, after, stat)
    figures["spurious"] = guest_spurious(records, index)
    figures["exits"] = difference(before, after, "exits")
    return figures


def check_figures(figures, name, announces):
    if figures["pages_bad"] or figures["pages_verified"] != figures["faults"]:
        raise ResultError(f"{name}: {figures['pages_bad']} of {figures['faults']} pages do not "
                          "hold what they should")
    if announces and not figures["announced"]:
        raise ResultError(f"{name}: not one fault was announced. Does the guest's kernel have the "
                          "driver, and the host's parameter apf the value on?")
