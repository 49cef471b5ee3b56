# SPDX-License-Identifier: GPL-2.0-only
"""The pool of processes that system tests, benchmark, simulation and differential suite share."""

import os
import signal
import subprocess
import time

from lab import boot, pool
from lab.harness import test
from lab.term import LabError

# Longer than any of these tests may take.
LONG = 100


def ends(function, items, limit):
    with pool.Pool() as under_way:
        return list(under_way.run(function, items, limit))


@test("pool: results come as the work ends, no more at a time than the limit")
def as_they_end():
    reading, writing = os.pipe()

    def work(item):
        """The first piece waits for the three others."""
        begin = time.monotonic()
        if item:
            os.write(writing, b".")
        else:
            for _ in range(3):
                os.read(reading, 1)
        return begin, time.monotonic(), os.getpid()

    found = ends(work, range(4), 2)
    assert [done.item for done in found][:2] == [1, 2], found
    assert len({done.value[2] for done in found} | {os.getpid()}) == 5, "not a process each"
    for begin, _, _ in (done.value for done in found):
        busy = sum(first <= begin < last for first, last, _ in (done.value for done in found))
        assert busy <= 2, found


@test("pool: what goes wrong is said of that piece of work alone")
def goes_wrong():
    def work(kind):
        if kind == "lab":
            raise LabError("run `make kernel`")
        if kind == "bug":
            raise ValueError("of a bug")
        if kind == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return kind

    found = {done.item: done for done in ends(work, ("lab", "bug", "dies", "good"), 4)}
    assert found["lab"].failure == "run `make kernel`", found["lab"]
    assert "Traceback" in found["bug"].failure and "of a bug" in found["bug"].failure, found["bug"]
    assert found["dies"].failure == f"its process ended: {-signal.SIGKILL}", found["dies"]
    assert found["good"].value == "good" and not found["good"].failure, found["good"]


def is_alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


def as_a_qemu(pipe):
    """Work like that of lab/boot.py: a program, which is ended when the process is."""
    with subprocess.Popen(["sleep", str(LONG)]) as child, boot.ended_with_us(child):
        os.write(pipe, f"{child.pid}\n".encode())
        child.wait()


def left_by(signals):
    """Programs that are alive after a process with a pool of two was sent the signals."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            ends(as_a_qemu, (writing, writing), 2)
        except KeyboardInterrupt:
            os._exit(7)
        os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as said:
        programs = [int(said.readline()) for _ in range(2)]
        for number in signals:
            os.kill(child, number)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7, status
    return [pid for pid in programs if is_alive(pid)]


@test("pool: whoever is interrupted leaves no program behind")
def interrupted():
    for signals in ((signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM)):
        begin = time.monotonic()
        left = left_by(signals)
        assert not left and time.monotonic() - begin < LONG / 2, (signals, left)
