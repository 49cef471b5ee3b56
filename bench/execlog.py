# SPDX-License-Identifier: GPL-2.0-only
"""Let QEMU log every instruction for a while, from a breakpoint on, and name its function.

Nothing stops in between, because virtual time leaps to the next timer when QEMU stops. The log
has the translation regime, which tells the exception level that ran an instruction.
"""

import bisect
import contextlib
import re
import socket
import subprocess
import threading
import time

from lab import kernel, paths, term

MEGABYTE = 1 << 20
# QEMU's translation regime, in the flags of a translated block, says who runs.
MODES = {0: "guest EL0", 2: "guest EL1", 4: "guest EL1", 1: "host user", 3: "host kernel",
         5: "host kernel"}
TRACE = re.compile(r"Trace (\d+): 0x[0-9a-f]+ \[[0-9a-f]+/([0-9a-f]+)/([0-9a-f]+)/")


class Gdb:
    """As much of the remote protocol as this takes."""

    def __init__(self, path, patience=60):
        self.socket = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + patience
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        self.stream = self.socket.makefile("rb")

    def send(self, text):
        data = text.encode()
        self.socket.sendall(b"$" + data + b"#%02x" % (sum(data) % 256))

    def receive(self):
        while (byte := self.stream.read(1)) != b"$":
            if not byte:
                raise term.LabError("QEMU has ended early")
        text = b""
        while (byte := self.stream.read(1)) != b"#":
            text += byte
        self.stream.read(2)
        self.socket.sendall(b"+")
        return text.decode()

    def ask(self, text):
        self.send(text)
        return self.receive()

    def monitor(self, command):
        answer = self.ask("qRcmd," + command.encode().hex())
        while answer.startswith("O") and answer != "OK":
            answer = self.receive()

    def interrupt(self):
        self.socket.sendall(b"\x03")
        self.receive()

    def run_to(self, address, times):
        """Over the breakpoint by a step, and on to it again."""
        for _ in range(times):
            self.ask("s")
            self.ask(f"Z0,{address:x},4")
            self.ask("c")
            self.ask(f"z0,{address:x},4")


def log_some(path, address, skip, log, size, failed):
    """Runs beside boot.run(): QEMU logs from hit number skip of address on."""
    try:
        gdb = Gdb(path)
        gdb.receive()       # that it is stopped, for us
        gdb.run_to(address, skip)
        gdb.monitor("singlestep on")
        gdb.monitor("log exec")
        gdb.send("c")
        while log.stat().st_size < size:
            time.sleep(0.05)
        gdb.interrupt()
        gdb.monitor("log none")
        gdb.monitor("singlestep off")
        gdb.ask("D")
    except (OSError, term.LabError) as error:
        failed.append(error)


@contextlib.contextmanager
def logging(folder, address, skip, megabytes):
    """Around a boot.run() in folder: gives its options, leaves exec.log there."""
    gdb, log = folder / "gdb", folder / "exec.log"
    failed = []
    tracer = threading.Thread(target=log_some, daemon=True, args=(
        gdb, address, skip, log, megabytes * MEGABYTE, failed))
    tracer.start()
    yield {"qemu": ("-gdb", f"unix:{gdb},server=on,wait=off", "-D", str(log))}
    tracer.join(5)
    if failed or tracer.is_alive():
        raise term.LabError(f"no log of instructions: {failed or 'the breakpoint was not hit'}")


def instructions(log):
    """(CPU, mode, pc) of each. A block that was looked up, and then not run, is taken back."""
    last = None
    with open(log, errors="replace") as lines:
        for line in lines:
            if match := TRACE.match(line):
                if last:
                    yield last
                mode = int(match[3], 16) >> 4 & 15
                last = int(match[1]), MODES.get(mode, f"mode {mode}"), int(match[2], 16)
            elif line.startswith("Stopped execution"):
                last = None
    if last:
        yield last


class Functions:
    """Of the kernel that host and guest both run: from an address to a name and an object.

    start: name -> address.
    """

    def __init__(self):
        folder = kernel.build_dir(kernel.BASE_FLAVOUR)
        text = sorted((address, name) for address, kind, name in self.symbols(folder / "vmlinux")
                      if kind in "tTwW" and not name.startswith("$"))
        self.addresses = [address for address, _ in text]
        self.names = [name for _, name in text]
        self.start = {name: address for address, name in text}
        self.objects = self.read_objects(folder)

    @staticmethod
    def symbols(path):
        said = subprocess.run([f"{paths.CROSS_COMPILE}nm", path], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
        lines = [line.split() for line in said.splitlines()]
        return [(int(words[0], 16), words[1], words[2]) for words in lines if len(words) == 3]

    @staticmethod
    def read_objects(folder):
        """name -> path of the object that defines it, relative to the build."""
        paths_of = [str(path.relative_to(folder)) for path in folder.rglob("*.o")
                    if path.name not in ("vmlinux.o", "built-in.o")]
        said = subprocess.run([f"{paths.CROSS_COMPILE}nm", "-A", "--defined-only", *paths_of],
                              cwd=folder, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=False).stdout
        found = {}
        for line in said.splitlines():
            where, _, rest = line.partition(":")
            words = rest.split()
            if len(words) == 3 and words[1] in "tTwW":
                found.setdefault(words[2], where)
        return found

    def name(self, pc):
        at = bisect.bisect_right(self.addresses, pc) - 1
        return self.names[at] if at >= 0 else "?"

    def object(self, name):
        return self.objects.get(name, "")
