# SPDX-License-Identifier: GPL-2.0-only
"""What the host's kernel allocates for APF: seen by its own tracepoint kmem:kmalloc."""

import re

from bench import page
from bench.cases import Boot, machine
from bench.page import Section
from bench.rows import Sample
from lab.result import ResultError

VCPUS = 2
TRACE = """\
trace=/sys/kernel/tracing
echo 16384 >$trace/buffer_size_kb
echo 1 >$trace/events/kmem/kmalloc/enable
echo 1 >$trace/tracing_on
{vm}
echo 0 >$trace/tracing_on
grep 'call_site=apf_\\|call_site=kvm_apf_' $trace/trace >/out/kmalloc
true
"""
LINE = re.compile(r"call_site=(\w+)\+\S+ .*?bytes_req=(\d+) bytes_alloc=(\d+)")
# Who allocates -> what it is, and per what.
KINDS = {
    "kvm_apf_vcpu_first_run": "per vCPU", "apf_vcpu_create": "per vCPU",
    "apf_pool_create": "per VM",
    "apf_work_prepare": "per page under way", "apf_work_alloc": "per page under way",
    "apf_pool_start": "per thread", "apf_pool_grow": "per thread", "apf_thread_create": "per thread",
}


def scenario():
    steps = ("run --tasks 8 --pages 64 --label run", "apf")
    vm = machine.vm("memory", machine.LEVELS["kernel"], steps, VCPUS, 2, ("all:delay=2",))
    return machine.start(VCPUS) + TRACE.format(vm=vm)


def read(out):
    machine.records(out, "memory")
    found = LINE.findall((out / "kmalloc").read_text())
    sizes = {(who, int(asked), int(got)) for who, asked, got in found}
    if not any(KINDS.get(who) == "per vCPU" for who, _, _ in sizes):
        raise ResultError(f"no allocation for a vCPU was seen, only by {sorted(sizes)}")
    for who, asked, got in sorted(sizes):
        kind = KINDS.get(who, f"by {who}()")
        yield Sample("memory", "kernel", VCPUS, 8, None, f"{kind}, asked for", "bytes", asked)
        yield Sample("memory", "kernel", VCPUS, 8, None, f"{kind}, allocated", "bytes", got)


def boots(full, chosen):
    if chosen("memory"):
        yield Boot("memory", scenario(), read, machine.host(VCPUS), seconds=20)


def sections(table):
    rows = [(row["metric"], row["value"]) for row in table.select(case="memory")]
    if not rows:
        return []
    return [Section("Memory in the host", page.paragraph(
        "As the host kernel's tracepoint `kmem:kmalloc` reports it. Threads that fetch pages are not in it. With APF "
        "off there is one pointer per VM and one per vCPU. Again: `make bench T=memory`.")
        + page.table(("allocated", "bytes"), rows))]
