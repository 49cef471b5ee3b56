# SPDX-License-Identifier: GPL-2.0-only
"""Runs the programs of a job one after the other, while memory goes missing, and reports.

/run/job/job.json says which, and for how long. Each runs in a group, a session and a /tmp of its
own, so that what it leaves behind can be ended. It is run again until it has lived through
enough rounds of the evictor. All that is said goes through the result channel as JSON lines.
"""

import ctypes
import json
import os
import select
import subprocess
import time

import autopsy
import verdicts
from channel import Channel, KernelLog

JOB = "/run/job"
GROUP = "/sys/fs/cgroup/program"
OUTPUT = "/run/output"
CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
OUTPUT_MAX = 1 << 20
TAIL = 1500
LEFT_OVER_S = 20
LIBC = ctypes.CDLL(None, use_errno=True)


def put(path, text):
    with open(path, "w") as file:
        file.write(text)


def mount(source, target, kind, flags=0, data=None):
    if LIBC.mount(source, target, kind, flags, data):
        raise OSError(ctypes.get_errno(), f"mount {target}")


def enter():
    """In the child: its own group, and a /tmp that goes with it."""
    put(f"{GROUP}/cgroup.procs", "0")
    if LIBC.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    mount(None, b"/", None, MS_REC | MS_PRIVATE)
    mount(b"tmpfs", b"/tmp", b"tmpfs")
    os.chdir("/tmp")


def end_group():
    """All that is left of the program. Returns the number of those that do not end."""
    put(f"{GROUP}/cgroup.kill", "1")
    end = time.monotonic() + LEFT_OVER_S
    while (left := len(open(f"{GROUP}/cgroup.procs").read().split())) and time.monotonic() < end:
        time.sleep(0.01)
    if not left:
        remove_group()
    return left


def remove_group():
    """With the groups that a program has made in it; a killed task leaves its group late."""
    for _ in range(200):
        for folder, _, _ in list(os.walk(GROUP, topdown=False)):
            try:
                os.rmdir(folder)
            except OSError:
                pass
        if not os.path.exists(GROUP):
            return
        time.sleep(0.01)


def command_of(program):
    command = program["command"]
    if program.get("copy"):
        folder = os.path.dirname(program["copy"])
        return ["sh", "-c", f"cp -r {folder} /tmp/run && cd /tmp/run && exec {command}"]
    return ["sh", "-c", command]


class Runner:
    def __init__(self, job, channel, log):
        self.job, self.channel, self.log = job, channel, log
        self.said = []

    def wait(self, child, timeout):
        """Whether it ended by itself."""
        poll = select.poll()
        fd = os.pidfd_open(child.pid)
        try:
            poll.register(fd, select.POLLIN)
            return bool(poll.poll(timeout * 1000))
        finally:
            os.close(fd)

    def examine(self, program):
        """What the kernel says because it was asked to is no complaint."""
        self.channel.say("@evict off")
        self.said += self.log.lines()
        found = autopsy.report(GROUP)
        self.channel.pieces("autopsy", {**found, "log": self.log.lines(400)})
        self.channel.say(f"@stats {program['id']}.hung")

    def once(self, program):
        """One run: the record of it."""
        os.mkdir(GROUP)
        begin = time.monotonic()
        with open(OUTPUT, "wb") as output:
            child = subprocess.Popen(command_of(program), stdin=subprocess.DEVNULL, stdout=output,
                                     stderr=output, preexec_fn=enter, start_new_session=True)
        hung = not self.wait(child, program["timeout"])
        seconds = time.monotonic() - begin
        if hung:
            self.examine(program)
            child.kill()
        left = end_group()
        status = None if hung else child.wait()
        if hung and not left:
            child.wait()
        if hung:
            self.channel.say("@evict on" if self.job["evict"] else "@evict off")
        with open(OUTPUT, "rb") as output:
            text = output.read(OUTPUT_MAX).decode(errors="replace")
        return {"status": status, "hung": hung, "left": left, "seconds": round(seconds, 4),
                "sub": verdicts.parse(text), "tail": text[-TAIL:]}

    def run(self, program):
        """Until it has seen enough time, or is not as it should be: the last record of it."""
        runs, seconds = 0, 0
        self.channel.record(begin=program["name"])
        self.channel.say(f"@stats {program['id']}.begin")
        while True:
            record = self.once(program)
            runs, seconds = runs + 1, seconds + record["seconds"]
            if record["status"] or record["hung"] or record["left"]:
                break
            if seconds >= self.job["seconds"] or runs >= self.job["runs"]:
                break
        self.channel.say(f"@stats {program['id']}.end")
        record.update(name=program["name"], id=program["id"], runs=runs,
                      seconds=round(seconds / runs, 4), klog=self.said + self.log.lines())
        self.said = []
        self.channel.pieces("sub", record.pop("sub"), name=program["name"])
        self.channel.record(program=record)
        return not record["left"]

    def all(self):
        if self.job["evict"]:
            self.channel.say("@evict on")
        for program in self.job["programs"]:
            if not self.run(program):
                # What is left takes memory and CPUs from those that follow: another boot.
                return 2
        return 0


def main():
    with open(f"{JOB}/job.json") as file:
        job = json.load(file)
    channel = Channel()
    status = 1
    try:
        status = Runner(job, channel, KernelLog()).all()
    except Exception as error:      # told, not lost on a console
        channel.record(error=repr(error))
    channel.say("@evict off")
    channel.record(guest_apf=autopsy.driver())
    channel.record(done=True, status=status)


if __name__ == "__main__":
    main()
