# SPDX-License-Identifier: GPL-2.0-only
"""The owner of a Debian guest installs our package: built there, by dkms, for its own kernel.

Debian's kernel, gcc, udev and QEMU as they are. Its next boot is as a guest of the lab's host, where
it is moved by post-copy, so that there is something to announce.
"""

import functools
import shlex
import tarfile

from lab import boot, deb, debian, harness, installed, paths
from lab.result import check_end, parse
from tests.system.module_tests import NOT_OFFERED
from tests.vm import BUSY_PC, OUT, Outcome, check_log, check_silent, expect

test = functools.partial(harness.test, suite="guests")

JOB = paths.REPO / "tests" / "guests" / "owner" / "run"
CPUS = 2
APPEND = f"console=ttyAMA0 {installed.APPEND}"
# The kernel knows nobody who could have signed it.
MAY_SAY = ("kvm-apf: ", "kvm_apf: loading out-of-tree module", "kvm_apf: module verification failed",
           *BUSY_PC)
SCENARIO = """
echo on >/sys/module/kvm-arm/parameters/apf
options="--option=-chardev --option=file,id=serial,path=/out/serial,append=on \\
	--option=-serial --option=chardev:serial"
for word in -drive if=none,id=root,file=$(disk {serial}),format=raw,file.locking=off \\
		-device virtio-blk-device,drive=root \\
		-drive if=none,id=job,file=$(disk job),format=raw,readonly=on \\
		-device virtio-blk-device,drive=job,serial=job; do
	options="$options --option=$word"
done
debian python3 /boot/inside/drive.py --cpus {cpus} --mem 512 --initrd /boot/initrd --patience 600 \\
	--append {append} $options await:go postcopy end
echo $? >/out/status
cat /out/qemu.*.log /out/serial >&2
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


def install(folder, disk, job_disk):
    """In a machine of QEMU's, so the driver has no host to announce anything to. What was said."""
    records = parse(installed.start(disk, job_disk, folder, timeout=1500), "guest")
    check_end(records, "guest")
    check_log("guest", [line for record in records for line in record.get("klog", ())], MAY_SAY)
    return {key: value for record in records for key, value in record.items()}


def drive(name, disk, job_disk):
    """The next boot, as a guest in the lab's host, where it is moved while it works."""
    result = boot.run(
        SCENARIO.format(serial=installed.SERIAL, cpus=CPUS, append=shlex.quote(APPEND)),
        OUT / name, mode="mttcg", timeout=1500,
        files={**paths.INSIDE, installed.KERNEL: "boot/Image", installed.INITRD: "boot/initrd"},
        disks={"debian": debian.ensure(), "job": job_disk}, qemu=installed.writable(disk))
    assert not result.lab_error, result.lab_error
    outcome = Outcome(result)
    assert outcome.status == 0, outcome.read("scenario.log")
    check_silent(outcome, host_may_say=BUSY_PC, guest_may_say=MAY_SAY)
    return outcome


def said(found, key, words):
    assert any(words in line for line in found[key]), \
        f"{key}: {words!r} is not in\n" + "\n".join(found[key])


def check_installed(found):
    assert found["install"] == 0, found["install.said"]
    said(found, "dkms_status", "installed")
    said(found, "module", "/updates/dkms/kvm_apf.ko")
    said(found, "klog", NOT_OFFERED)
    assert found["loaded"] == []


def check_kernels(found):
    """What the packages of other kernels would have found."""
    for name in ("other", "own"):
        assert found[name] == 0, found[f"{name}.said"]
        assert found[f"{name}.left"] == [], found[f"{name}.left"]
    assert found["other.install"] != 0, "built for a kernel that it does not know"
    said(found, "other.install.said", "BUILD_EXCLUSIVE")
    assert found["other.install.left"] == [], found["other.install.left"]
    assert found["again"] == 0, found["again.said"]
    said(found, "again.left", "/updates/dkms/kvm_apf.ko")
    said(found, "again.status", "installed")
    assert found["again.gone"] == [], found["again.gone"]


def check_bare(found):
    """Without headers it is installed, and says what is missing."""
    assert found["bare"] == 0, found["bare.said"]
    said(found, "bare.said", "NOT BUILT for the running kernel")
    said(found, "bare.said", "apt install linux-headers-cloud-arm64")
    assert found["bare.loaded"] == [], found["bare.loaded"]


def check_used(outcome):
    """udev has loaded it, it did its work, and nothing of it is left."""
    assert outcome.find("loaded") == [["/sys/module/kvm_apf"], []], outcome.find("loaded")
    assert outcome.find("remove") == [0], outcome.find("remove.said")
    assert outcome.find("left_behind") == [[]], outcome.find("left_behind")
    assert outcome.find("wrong") == [[]], outcome.find("wrong")
    counted = {record["counter"]: record["value"] for record in outcome.records
               if "counter" in record}
    expect(counted, announced=(16, None), woken=counted["announced"], killed=0)


@test("package_installed_by_dkms_in_the_guest", alone=True, seconds=900)
def package_installed_by_dkms_in_the_guest():
    name = "package_installed_by_dkms_in_the_guest"
    folder = OUT / f"{name}.disks"
    job_disk, disk = job(folder), installed.copy(folder / "installed.ext4")
    try:
        found = install(OUT / f"{name}.install", disk, job_disk)
        check_bare(found)
        check_installed(found)
        check_kernels(found)
        check_used(drive(name, disk, job_disk))
    finally:
        disk.unlink()
