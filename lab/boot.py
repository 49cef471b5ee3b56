# SPDX-License-Identifier: GPL-2.0-only
"""Boot the host kernel in QEMU, run one scenario in it, bring back what it made.

The verdict comes over a virtio-serial port made for it. The serial console is
kept to help a human, never to derive a verdict from.
"""

import contextlib
import dataclasses
import fcntl
import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab import debian, images, kernel, paths
from lab.cpio import Archive
from lab.term import LabError, tail

CONSOLE = "console=ttyAMA0 panic=-1 panic_on_warn=1 loglevel=5"
# In MiB. A page that is written is searched for code that was translated from it, all of it at
# each store. With QEMU's own choice, 1 GiB, nothing is ever thrown away, and where pages of
# programs are taken away and written anew for minutes, a store comes to take 0.1 s.
TRANSLATED = "tb-size=64"
MODES = {
    # One instruction is 1 ns, idle time passes at once: for figures.
    "icount": ["-accel", f"tcg,{TRANSLATED}", "-icount", "shift=0,sleep=off"],
    # Each vCPU a thread of its own, real time: for stress.
    "mttcg": ["-accel", f"tcg,thread=multi,{TRANSLATED}"],
}
# A busy PC makes the emulator's timers late, above all in mttcg mode, and a kernel says so once.
TIMER_LATE = "hrtimer: interrupt took"
TIMEOUT = 300
GRACE = 5
LAB_FAILED = 125


@dataclasses.dataclass
class Result:
    """What a run left behind.

    status is the scenario's exit status, None if there was no verdict; then
    lab_error says why. out holds what the scenario wrote to /out. klog is the
    host's kernel log since the scenario began.
    """

    status: int | None
    verdict: dict
    out: Path
    lab_error: str | None
    klog: str
    seconds: float


def run_archive(scenario, files, interactive):
    """The part of the initramfs that is this run's own."""
    archive = Archive()
    if interactive:
        archive.file("etc/interactive", b"")
    else:
        archive.file("scenario", scenario.encode(), 0o755)
    for source, target in files.items():
        source = Path(source)
        if not source.is_file():
            raise LabError(f"{source}: no such file, to be put at {target}")
        archive.file(target, source.read_bytes(), source.stat().st_mode & 0o777)
    return archive.encode()


def disk_options(disks):
    """Read-only, so that many hosts may use one file. Their order is not that of /dev/vd*."""
    for serial, path in (disks or {}).items():
        yield from ("-drive", f"if=none,id={serial},file={path},format=raw,readonly=on",
                    "-device", f"virtio-blk-device,drive={serial},serial={serial}")


def seed_options(seed):
    """In virtual time these leave nothing to chance: the same run again, to the byte."""
    return [] if seed is None else ["-seed", str(seed), "-rtc", "base=2026-01-01,clock=vm"]


def qemu_command(folder, mode, smp, mem, append, image, interactive):
    path = kernel.image(image)
    if not path.exists():
        raise LabError(f"no kernel {image}: run `make kernel`, or `python3 -m lab kernel {image}`")
    command = ["qemu-system-aarch64", "-M", "virt,virtualization=on,gic-version=3",
               "-cpu", "max", "-smp", str(smp), "-m", str(mem), *MODES[mode],
               "-nodefaults", "-display", "none", "-no-reboot",
               "-kernel", str(path), "-initrd", str(folder / "initrd.cpio"),
               "-append", f"{CONSOLE} {append}".strip()]
    if interactive:
        return command + ["-chardev", "stdio,mux=on,signal=off,id=tty",
                          "-serial", "chardev:tty", "-mon", "chardev=tty"]
    command += ["-serial", f"file:{folder}/serial.log", "-device", "virtio-serial-device"]
    for name, file in (("apf.verdict", "verdict.json"), ("apf.out", "out.tar")):
        port = name.replace(".", "-")
        command += ["-chardev", f"file,id={port},path={folder}/{file}",
                    "-device", f"virtserialport,chardev={port},name={name}"]
    return command


@contextlib.contextmanager
def owned(folder):
    """Two runs at once in one folder would delete each other's files."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f".{folder.name}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"{folder} is in use by another run: wait for it, or give another "
                           f"folder") from None
        try:
            yield
        finally:
            (folder / "initrd.cpio").unlink(missing_ok=True)


def prepare(folder, scenario, files, interactive=False):
    """An empty folder, and the initramfs in it."""
    run_part = run_archive(scenario, files or {}, interactive)
    base = images.build()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with open(folder / "initrd.cpio", "wb") as out, open(base, "rb") as first:
        shutil.copyfileobj(first, out, 1 << 20)
        out.write(run_part)


@contextlib.contextmanager
def ended_with_us(child):
    """Whatever happens here, also Ctrl-C or SIGTERM, QEMU does not stay behind."""
    def interrupt(_number, _frame):
        raise KeyboardInterrupt
    try:
        old = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:      # not in the main thread
        old = None
    try:
        yield
    finally:
        stop(child)
        if old is not None:
            signal.signal(signal.SIGTERM, old)


def stop(child):
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def unpack(folder):
    """DIR/klog and DIR/out from the archive that the host sent. An error, or None."""
    archive = folder / "out.tar"
    done = subprocess.run(["tar", "xf", archive, "-C", folder, "--no-same-owner"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        return f"the scenario's output is damaged:\n{done.stdout}"
    archive.unlink()
    return None


def read_verdict(folder):
    """The verdict; {} if the host did not come to give one."""
    try:
        return json.loads((folder / "verdict.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def explain(folder, what):
    console = folder / "serial.log"
    end = tail(console) if console.exists() else ""
    return f"{what}\nThe end of {console}:\n{end}" if end else what


def wait(command, folder, timeout):
    """Run QEMU to its end. Returns an error, or None."""
    if not shutil.which(command[0]):
        return f"QEMU failed to start: {command[0]} is not installed, run `make deps`"
    with open(folder / "qemu.log", "w") as log:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT)
        with ended_with_us(child):
            try:
                child.wait(timeout)
            except subprocess.TimeoutExpired:
                return explain(folder, f"timeout: no end after {timeout} s, QEMU stopped")
    if child.returncode:
        return (f"QEMU failed with status {child.returncode}:\n{tail(folder / 'qemu.log')}"
                f"Its command: {folder}/qemu.cmd")
    return None


def folder_of(out, image):
    """The same test may run on several kernels at the same time."""
    folder = Path(out).resolve()
    return folder if image == kernel.BASE_FLAVOUR else folder.with_name(f"{folder.name}.{image}")


def run(scenario, out, mode="icount", timeout=TIMEOUT, smp=2, mem="2G", append="",
        image=None, files=None, disks=None, qemu=(), seed=None):
    """Run a scenario (text of a sh script) in a fresh host; everything lands in out.

    files: names in the host, by those here. disks: files with their contents, by
    serial, which the host finds in /sys/block/*/serial. qemu: more of its options.
    seed: of all that QEMU draws at random, so that a run can be had again.
    """
    image = image or kernel.chosen()
    folder = folder_of(out, image)
    timeout *= kernel.SLOW.get(image, 1)
    with owned(folder):
        prepare(folder, scenario, files)
        command = qemu_command(folder, mode, smp, mem, append, image, False)
        command += [*disk_options(disks), *seed_options(seed), *qemu]
        (folder / "scenario").write_text(scenario)
        (folder / "qemu.cmd").write_text(shlex.join(command) + "\n")
        start = time.monotonic()
        error = wait(command, folder, timeout)
        return result(folder, error, time.monotonic() - start)


def result(folder, error, seconds):
    """What the run left, made of the files in its folder."""
    verdict = read_verdict(folder)
    if not error and "status" not in verdict:
        error = explain(folder, "no verdict: the host panicked, hung or powered off early")
    error = error or unpack(folder)
    if error:
        verdict = {}
    klog = folder / "klog"
    return Result(verdict.get("status"), verdict, folder / "out", error,
                  klog.read_text(errors="replace") if klog.exists() else "", seconds)


def shell(out, smp=2, mem="2G", append="", image=kernel.BASE_FLAVOUR, files=None, disks=None):
    """A shell in the host, on this terminal."""
    folder = Path(out).resolve()
    with owned(folder):
        prepare(folder, "", files, interactive=True)
        command = qemu_command(folder, "mttcg", smp, mem, append, image, True)
        return subprocess.call([*command, *disk_options(disks)])


def arguments(parser):
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--scenario", type=Path, metavar="FILE", help="sh script to run in the host")
    what.add_argument("--shell", action="store_true", help="a shell on this terminal instead")
    parser.add_argument("--out", type=Path, metavar="DIR", default=paths.OUT / "boot")
    parser.add_argument("--mode", choices=MODES, default="icount",
                        help="icount: virtual time, for figures; mttcg: parallel, for stress")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, metavar="S")
    parser.add_argument("--smp", type=int, default=2, metavar="N")
    parser.add_argument("--mem", default="2G", metavar="SIZE")
    parser.add_argument("--append", default="", metavar="STR", help="more kernel command line")
    parser.add_argument("--image", default=kernel.BASE_FLAVOUR, metavar="FLAVOUR")
    parser.add_argument("--file", action="append", default=[], metavar="SRC:DST",
                        help="put a file into the host")
    parser.add_argument("--debian", action="store_true",
                        help="with the disk image of Debian's packages")


def command(args):
    """Boot the host kernel in QEMU and run a scenario (a sh script) in it.

    The exit status is the scenario's, 125 if the lab itself failed. The folder
    given by --out (with .FLAVOUR behind it, if --image gives one) is emptied first,
    and then holds: out/ (what the scenario left in /out, and scenario.log, its own
    output), klog (the host's kernel log since the scenario began), serial.log,
    verdict.json, qemu.cmd.
    """
    files = dict(item.rpartition(":")[::2] for item in args.file)
    common = {"smp": args.smp, "mem": args.mem, "append": args.append, "image": args.image,
              "files": files, "disks": {"debian": debian.ensure()} if args.debian else None}
    if args.shell:
        return shell(args.out, **common)
    found = run(args.scenario.read_text(), args.out, mode=args.mode, timeout=args.timeout,
                **common)
    if found.lab_error:
        print(f"boot: {found.lab_error}", file=sys.stderr)
        return LAB_FAILED
    return found.status
