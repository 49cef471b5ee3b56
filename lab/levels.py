# SPDX-License-Identifier: GPL-2.0-only
"""The levels of APF, and how each is asked for: the only place that says so.

off: a vCPU waits for a missing page as without APF. halt: it halts, and wakes for an interrupt.
announce: the guest is told of the faults of its user space. kernel: also of those that its kernel
has when it accesses user memory. Below "announce" the guest's driver makes no difference.

The host cannot tell "announce" from "kernel", so its parameter has one value for both, "on". The
guest's kernel chooses between them.
"""

import dataclasses

PARAMETER = "kvm-arm.apf"
PARAMETER_FILE = "/sys/module/kvm-arm/parameters/apf"


@dataclasses.dataclass(frozen=True)
class Level:
    """host: the value of the host's parameter, which holds for VMs that ask for nothing.

    guest: what the guest's kernel has on its command line. vmm: the argument of apfvm's --apf if
    the VMM chooses, and not the host (by "default" it leaves that to the host). Halting is the
    host's business alone: the VMM cannot ask for it.
    """

    name: str
    host: str
    guest: str = ""
    vmm: str = "off"

    @property
    def announces(self):
        """Whether the guest is told of any fault."""
        return self.host == "on"


LEVELS = {level.name: level for level in (
    Level("off", host="off"),
    Level("halt", host="halt"),
    Level("announce", host="on", guest="kvm_apf.kernel=0", vmm="on"),
    Level("kernel", host="on", vmm="on"),
)}
