# SPDX-License-Identifier: GPL-2.0-only
"""One process of Debian's QEMU in the lab's host: its command, QMP, KVM's statistics.

Runs in the host, in the root of the disk image.
"""

import glob
import json
import os
import socket
import subprocess
import time

PATIENCE = 60       # seconds of the host's time
POLL = 0.005
BASE = ["qemu-system-aarch64", "-nodefaults", "-display", "none", "-accel", "kvm", "-cpu", "host",
        "-M", "virt,gic-version=3", "-kernel", "/boot/Image"]
STATS = ("apf_announced", "apf_repeated", "apf_declined", "apf_halted", "apf_sync", "apf_ready",
         "apf_batches", "stage2_aborts", "hvc_exit_stat", "exits")


class Failed(Exception):
    """The message says what did not happen."""


def wait_for(what, condition, patience=PATIENCE):
    """What the condition returns, once it is true."""
    end = time.monotonic() + patience
    while not (value := condition()):
        if time.monotonic() > end:
            raise Failed(f"not within {patience} s: {what}")
        time.sleep(POLL)
    return value


def listener(name):
    """A Unix socket that QEMU connects to: so nobody has to ask whether it is there yet."""
    if os.path.exists(name):
        os.unlink(name)
    server = socket.socket(socket.AF_UNIX)
    server.bind(name)
    server.listen(1)
    server.settimeout(PATIENCE)
    return server


class Qemu:
    """A VM's next process: from its boot, or from what another one hands over."""

    def __init__(self, number, options, incoming=None):
        self.name = f"/tmp/qemu.{number}"
        servers = listener(f"{self.name}.qmp"), listener(f"{self.name}.result")
        command = [*BASE, *options, *self.devices()]
        if incoming:
            command += ["-incoming", incoming]
        with open(f"/out/qemu.{number}.log", "w") as log:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log)
        self.result, self.qmp = (server.accept()[0] for server in reversed(servers))
        self.replies = self.qmp.makefile("r")
        self.states = []
        self.qmp.settimeout(PATIENCE)
        self.read()
        self.do("qmp_capabilities")
        self.capability("events")

    def devices(self):
        for word in ("qmp", "result"):
            yield from ("-chardev", f"socket,id={word},path={self.name}.{word}")
        yield from ("-chardev", "file,id=console,append=on,path=/out/console")
        yield from ("-mon", "chardev=qmp,mode=control", "-device", "virtio-serial-device",
                    "-device", "virtconsole,chardev=console",
                    "-device", "virtserialport,chardev=result,name=apf.result")

    def read(self):
        try:
            line = self.replies.readline()
        except TimeoutError:
            raise Failed(f"{self.name} says nothing for {PATIENCE} s, after {self.states}") from None
        if not line:
            raise Failed(f"{self.name} has gone: status {self.child.wait()}")
        return json.loads(line)

    def do(self, command, **arguments):
        """One QMP command: what it returns."""
        message = {"execute": command, "arguments": arguments}
        self.qmp.sendall(json.dumps(message).encode() + b"\n")
        while "return" not in (reply := self.read()):
            if "error" in reply:
                raise Failed(f"{self.name}: {command}: {reply['error']['desc']}")
            self.keep(reply)
        return reply["return"]

    def capability(self, name):
        self.do("migrate-set-capabilities", capabilities=[{"capability": name, "state": True}])

    def keep(self, event):
        """Those of a migration are all that we wait for."""
        if event.get("event") == "MIGRATION":
            self.states.append(event["data"]["status"])

    def await_migration(self, state):
        """Told by events, so that nobody has to ask again and again."""
        while state not in self.states:
            self.keep(self.read())
            if "failed" in self.states:
                raise Failed(f"{self.name}: the migration failed: {self.do('query-migrate')}")
        return state

    def stats(self):
        """Sums over the vCPUs, as KVM's debugfs has them."""
        folder = glob.glob(f"/sys/kernel/debug/kvm/{self.child.pid}-*")[0]
        return {name: int(text(f"{folder}/{name}")) for name in STATS}

    def end(self, patience=PATIENCE):
        """Its own end, or that which we put to it. Returns the status."""
        try:
            return self.child.wait(patience)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise Failed(f"{self.name} does not end") from None


def text(name):
    with open(name) as file:
        return file.read()


def put(name, value):
    with open(name, "w") as file:
        file.write(value)
