# SPDX-License-Identifier: GPL-2.0-only
"""The driver as a module of Debian's kernels: their headers, sparse, the warnings of W=1.

A symbol that a kernel does not export is an error of such a build, too.
"""

import functools

from lab import harness, stock
from lab.term import cache_lock

test = functools.partial(harness.test, suite="built")

# The few of `make test`, and the others once `make test-guests` has fetched them. The module
# of a test is checked on one kernel.
MODULES = [("kvm_apf", name) for name in stock.KERNELS
           if name in stock.FEW or stock.release(name)] + [("apf_cold", stock.FEW[0])]


def check_build(module, name):
    assert stock.release(name), f"not fetched: `python3 -m lab stock {name}`"
    with cache_lock():
        status, said = stock.compile_module(name, module, "W=1", "C=2")
    assert not status and not said.strip(), said or f"make failed with status {status}"


for module_name, kernel_name in MODULES:
    test(f"sparse and W=1: {module_name} for {kernel_name}", module_name, kernel_name)(check_build)
