# SPDX-License-Identifier: GPL-2.0-only
"""The owner of a Debian guest installs our package: built there, by dkms, for its own kernel.

Debian's kernel, gcc, udev and QEMU as they are. The guest boots again after it, and is moved by
post-copy, so that there is something to announce.
"""

import io
import shlex
import tarfile

from harness import test
from lab import boot, deb, debian, installed, paths
from vm import BUSY_PC, OUT, Outcome, check_silent, expect

JOB = paths.REPO / "tests" / "guests" / "owner" / "run"
CPUS = 2
APPEND = f"console=hvc0 root=LABEL={installed.SERIAL} rw quiet panic=-1 panic_on_warn=1"
# The kernel knows nobody who could have signed it.
MAY_SAY = ("kvm-apf: ", "kvm_apf: loading out-of-tree module", "kvm_apf: module verification failed",
           *BUSY_PC)
SCENARIO = """
echo on >/sys/module/kvm-arm/parameters/apf
options=
for word in -drive if=none,id=root,file=$(disk {serial}),format=raw,file.locking=off \\
		-device virtio-blk-device,drive=root \\
		-drive if=none,id=job,file=$(disk job),format=raw,readonly=on \\
		-device virtio-blk-device,drive=job,serial=job; do
	options="$options --option=$word"
done
debian python3 /boot/inside/drive.py --cpus {cpus} --mem 512 --initrd /boot/initrd --patience 1500 \\
	--append {append} $options await:installed await:go postcopy end
echo $? >/out/status
cat /out/qemu.*.log /out/console >&2
"""


def job(folder):
    """The disk with what the guest is to do."""
    folder.mkdir(parents=True, exist_ok=True)
    package = deb.build(folder)[0]
    archive = folder / "job.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(JOB, "run")
        tar.add(package, "kvm-apf-dkms.deb")
    return archive


def drive(name):
    folder = OUT / f"{name}.disks"
    job_disk, disk = job(folder), installed.copy(folder / "installed.ext4")
    try:
        result = boot.run(
            SCENARIO.format(serial=installed.SERIAL, cpus=CPUS, append=shlex.quote(APPEND)),
            OUT / name, mode="mttcg", timeout=3000,
            files={**paths.INSIDE, installed.KERNEL: "boot/Image", installed.INITRD: "boot/initrd"},
            disks={"debian": debian.ensure(), "job": job_disk}, qemu=installed.writable(disk))
    finally:
        disk.unlink()
    assert not result.lab_error, result.lab_error
    outcome = Outcome(result)
    assert outcome.status == 0, outcome.read("scenario.log")
    return outcome


def said(outcome, key, words):
    lines = outcome.find(key)[0]
    assert any(words in line for line in lines), f"{key}: {words!r} is not in\n" + "\n".join(lines)


@test("package_installed_by_dkms_in_the_guest", alone=True, seconds=600)
def package_installed_by_dkms_in_the_guest():
    outcome = drive("package_installed_by_dkms_in_the_guest")
    check_silent(outcome, host_may_say=BUSY_PC, guest_may_say=MAY_SAY)
    assert outcome.find("install") == [0], outcome.find("install.said")
    said(outcome, "status", "installed")
    said(outcome, "module", "/updates/dkms/kvm_apf.ko")
    said(outcome, "klog_of_first_boot", "kvm-apf: faults announced by INTID 16, of user tasks only")
    assert outcome.find("other") != [0], "built for a kernel that it does not know"
    said(outcome, "other.said", "BUILD_EXCLUSIVE")
    # At once; after the next boot, by udev; no more after it was removed.
    assert outcome.find("loaded") == [["/sys/module/kvm_apf"], ["/sys/module/kvm_apf"], []]
    assert outcome.find("left_for_other") == [[]] == outcome.find("left"), outcome.find("left")
    assert outcome.find("remove") == [0] and outcome.find("wrong") == [[]]
    counted = {record["counter"]: record["value"] for record in outcome.records
               if "counter" in record}
    expect(counted, announced=(16, None), woken=counted["announced"], killed=0)
