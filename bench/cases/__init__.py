# SPDX-License-Identifier: GPL-2.0-only
"""The cases of the benchmark, each a module with a name in MODULES.

A module has
    boots(full, chosen)   the Boots to run: of all the case has, or of the choice that `make bench`
                          makes. chosen(name) says whether $T lets a name through;
and may have
    goals(table)          [Goal]: what was to be reached, and what was;
    sections(table)       [page.Section] of the report;
    summary(table)        [text], parts of the summary, which is Markdown.
table is a bench.rows.Table of all rows that were measured, which may be none of this case.
"""

import dataclasses
import importlib
from collections.abc import Callable

MODULES = ("levels", "backings", "restore", "workloads", "postcopy", "guests", "parallel", "profile", "memory")
# First word of many a case: who touches the missing pages, the tasks or the guest's kernel for them.
FAULTS = ("user-faults", "kernel-faults")


@dataclasses.dataclass
class Boot:
    """One host in one QEMU.

    read: from the folder that the scenario left behind to bench.rows.Sample.
    options: of lab.boot.run(). alone: nothing else may run beside it, since it is timed.
    beside: a context around the run, called with the folder; it gives more options.
    """

    name: str
    scenario: str
    read: Callable
    options: dict = dataclasses.field(default_factory=dict)
    alone: bool = False
    seconds: int = 60
    beside: Callable | None = None


@dataclasses.dataclass
class Goal:
    """value is None if it was not measured."""

    what: str
    wanted: str
    value: str | None
    met: bool
    note: str = ""


def modules():
    return [importlib.import_module(f"bench.cases.{name}") for name in MODULES]


def goals(table):
    """Of all cases."""
    return [goal for module in modules() if hasattr(module, "goals") for goal in module.goals(table)]
