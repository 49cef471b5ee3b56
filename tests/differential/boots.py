# SPDX-License-Identifier: GPL-2.0-only
"""One host with one guest in it, which runs a batch of programs at one level.

What is missing, when, and for how long is apfvm's business (--evict, vmm/evict.h).
"""

import dataclasses
import json
import shlex
from pathlib import Path

from lab import boot, kernel, paths, programs
from lab.levels import LEVELS

HERE = Path(__file__).resolve().parent
GUEST = {path: f"boot/job/{path.name}" for path in (HERE / "guest").iterdir() if path.is_file()}
FLAVOUR = "programs"


@dataclasses.dataclass(frozen=True)
class Setting:
    """How programs are run.

    every: ms between two rounds of the evictor; pages: that it takes in each; full: each full-th
    takes all. delay: ms until a page is back. real: vCPUs are in parallel, in real time. seconds:
    how long each program runs at least, once or again and again, runs times at most.
    """

    level: str
    cpus: int = 1
    seed: int = 1
    every: int = 200
    pages: str = "2000"
    full: int = 25
    delay: float = 0.1
    real: bool = False
    mem: int = 384
    seconds: float = 0.4
    runs: int = 30
    flavour: str = FLAVOUR

    def name(self):
        real = "-parallel" if self.real else ""
        return f"{self.level}-{self.cpus}{real}"


SCENARIO = """\
echo {host} >/sys/module/kvm-arm/parameters/apf || exit 99
mkdir -p /tmp/guest/bin
cp /boot/job/init /tmp/guest/init
cp -r /boot/job /tmp/guest/job
cp /bin/busybox /tmp/guest/bin/busybox
chmod 755 /tmp/guest/init
(cd /tmp/guest && find . | cpio -o -H newc 2>/dev/null) >/tmp/initrd
disk=$(disk programs) || exit 98
# Read beforehand: a disk of the PC's has no virtual time, which runs on to any timer while all
# wait for it. It is kept open, since at its last close the host would forget what it has read.
exec 9<$disk
dd if=$disk of=/dev/null bs=1M 2>/dev/null
port() {{
	found=$(grep -lx $1 /sys/class/virtio-ports/*/name) || exit 97
	found=${{found%/name}}
	echo /dev/${{found##*/}}
}}
result=$(port guest.result) console=$(port guest.console)
apfvm {arguments} --disk $disk --result $result --console $console 2>/out/vmm.err
echo $? >/out/status
cat /out/vmm.err
"""


def evictor(setting):
    """Options of apfvm."""
    if not setting.every:
        return []
    return ["--evict", f"every={setting.every},pages={setting.pages},full={setting.full},"
            f"seed={setting.seed}", "--policy", f"ram:delay={setting.delay:g}"]


def command(setting):
    append = (f"console=hvc0 panic=-1 panic_on_warn=1 quiet {LEVELS[setting.level].guest}")
    return shlex.join([
        "--kernel", "/boot/Image.guest", "--initrd", "/tmp/initrd", "--mem", str(setting.mem),
        "--cpus", str(setting.cpus), "--append", append.strip(), "--sve", *evictor(setting)])


def job(setting, batch):
    entries = [{"id": f"p{number}", **dataclasses.asdict(program)}
               for number, program in enumerate(batch)]
    slow = 10 if setting.real else kernel.SLOW.get(setting.flavour, 1)
    for entry in entries:
        entry["timeout"] *= slow
    return {"evict": bool(setting.every), "seconds": setting.seconds, "runs": setting.runs,
            "programs": entries}


def patience(batch):
    """Real seconds: a hang of the whole guest costs them, so not too many."""
    return 900 + 60 * sum(program.cost for program in batch)


def ports(folder):
    """What the guest says comes here as it is said, so that it is not lost with the host."""
    for name in ("result", "console"):
        yield from ("-chardev", f"file,id=guest-{name},path={folder}/guest.{name}",
                    "-device", f"virtserialport,chardev=guest-{name},name=guest.{name}")


def run(setting, batch, folder):
    """Boot, and what came back: lab.boot.Result."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    job_file = folder.with_name(f"{folder.name}.json")    # a name may have a dot
    job_file.write_text(json.dumps(job(setting, batch), indent=1))
    scenario = SCENARIO.format(host=LEVELS[setting.level].host, arguments=command(setting))
    files = {**GUEST, job_file: "boot/job/job.json",
             kernel.image(setting.flavour): "boot/Image.guest"}
    return boot.run(scenario, folder, mode="mttcg" if setting.real else "icount",
                    timeout=patience(batch), smp=setting.cpus + 1, mem="2G",
                    image=kernel.BASE_FLAVOUR, files=files, qemu=tuple(ports(folder)),
                    disks={"programs": programs.ensure()})


OUT = paths.OUT / "differential"
