# SPDX-License-Identifier: GPL-2.0-only
"""Debian as the owner of a guest has it: installed on a disk, with its kernel, headers and dkms.

debootstrap unpacks the packages here; their own scripts, which are arm64's, run in the
lab's host. Beside the disk lie the kernel and the initramfs that were installed.
"""

import hashlib
import shutil
from pathlib import Path

from lab import apt, boot, debian, graft, images, paths
from lab.term import LabError, Meter, cache_lock, run_logged, step

FOLDER = paths.CACHE / "installed"
IMAGE, STAMP = FOLDER / "disk.ext4", FOLDER / "stamp"
KERNEL, INITRD = FOLDER / "vmlinuz", FOLDER / "initrd.img"
LOG = paths.LOG / "installed.log"
INIT = "sbin/init"
SERIAL = "installed"
SIZE = "3G"
TIMEOUT = 2400
APPEND = f"root=LABEL={SERIAL} rw panic=-1 panic_on_warn=1"

PACKAGES = ("busybox", "dkms", "kmod", "linux-headers-cloud-arm64", "linux-image-cloud-arm64",
            "udev")
# Nobody who could answer a question is there, and no server is to start.
SECOND_STAGE = """\
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
mkdir /disk && mount -t ext4 "$(disk {serial})" /disk || exit 90
for folder in dev proc sys; do
	mount -o rbind /$folder /disk/$folder
done
chroot /disk /debootstrap/debootstrap --second-stage || {{ cat /disk/debootstrap/*.log; exit 91; }}
cp -L /disk/vmlinuz /disk/initrd.img /out || exit 92
for name in ip poweroff; do
	chroot /disk ln -s /bin/busybox /usr/sbin/$name || exit 93
done
umount -l /disk/dev /disk/proc /disk/sys
umount /disk
"""


def unpack(root):
    address, suite = apt.release()
    title = "fetching an installation of Debian"
    run_logged(["debootstrap", "--foreign", "--arch=arm64", "--variant=minbase",
                f"--include={','.join(PACKAGES)}", f"--keyring={apt.KEYRING}", suite, root,
                address], LOG, Meter(title))
    (root / INIT).unlink(missing_ok=True)
    shutil.copyfile(debian.INIT, root / INIT)
    (root / INIT).chmod(0o755)


def make_disk(root, disk):
    disk.unlink(missing_ok=True)
    run_logged(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-L", SERIAL,
                "-O", "^has_journal,^metadata_csum", "-E", "root_owner=0:0",
                "-d", root, disk, SIZE], LOG)


def writable(disk):
    """For boot.run(qemu=...): a disk that the host may write to."""
    return ("-drive", f"if=none,id={SERIAL},file={disk},format=raw,cache=unsafe",
            "-device", f"virtio-blk-device,drive={SERIAL},serial={SERIAL}")


def configure(disk):
    result = boot.run(SECOND_STAGE.format(serial=SERIAL), FOLDER / "second-stage", mode="mttcg",
                      timeout=TIMEOUT, qemu=writable(disk))
    if result.lab_error or result.status:
        log = result.out / "scenario.log"
        raise LabError(result.lab_error or f"debootstrap's second stage failed: see {log}")
    for path in (KERNEL, INITRD):
        shutil.copyfile(result.out / path.name, path)


def write():
    STAMP.unlink(missing_ok=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    root, disk = FOLDER / "root", IMAGE.with_suffix(".new")
    shutil.rmtree(root, ignore_errors=True)
    unpack(root)
    make_disk(root, disk)
    shutil.rmtree(root)
    configure(disk)
    disk.replace(IMAGE)


def digest():
    """Of what we ask for. Which version of a package Debian has today does not count."""
    return hashlib.sha256(debian.INIT.read_bytes() + Path(__file__).read_bytes()).hexdigest()


def is_due():
    return not IMAGE.exists() or graft.read(STAMP) != digest().encode()


def ensure():
    """Path of the disk, which is not to be written to: see copy()."""
    images.build()
    with cache_lock():
        if is_due():
            if not shutil.which("debootstrap"):
                raise LabError("debootstrap is not installed, run `python3 -m lab deps debootstrap`")
            with step("an installation of Debian"):
                write()
            STAMP.write_text(digest())
    return IMAGE


def start(disk, job, folder, timeout):
    """Boot it on the machine that QEMU makes, no host of ours beneath. What its job has said.

    job: an archive, as lab/debian-init wants it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    said = folder / "result"
    command = ["qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "cortex-a72", "-smp", "2",
               "-m", "1G", *boot.MODES["mttcg"], "-nodefaults", "-display", "none", "-no-reboot",
               "-kernel", str(KERNEL), "-initrd", str(INITRD), "-append", f"console=ttyAMA0 {APPEND}",
               "-serial", f"file:{folder}/serial.log",
               *writable(disk), *boot.disk_options({"job": job}), "-device", "virtio-serial-device",
               "-chardev", f"file,id=result,path={said}",
               "-device", "virtserialport,chardev=result,name=apf.result"]
    error = boot.wait(command, folder, timeout)
    if error:
        raise LabError(error)
    return said.read_text()


def copy(target):
    """A disk of one's own, of which only what was written takes space."""
    run_logged(["cp", "--sparse=always", "--reflink=auto", ensure(), target], LOG)
    return target


def command(_args):
    """Install Debian on a disk for the guest of an owner, if it is not there yet."""
    print(f"an installation of Debian: {ensure()}")
    return 0
