# SPDX-License-Identifier: GPL-2.0-only
"""The result channel of apfvm or of QEMU, and the kernel's log."""

import glob
import json
import os
import re
import termios
import tty

PORT, CONSOLE = "apf.result", "/dev/hvc1"
# The console driver takes a page at once.
PIECE = 3000


def find():
    """With QEMU it is a port with a name, with apfvm the second console."""
    for path in glob.glob("/sys/class/virtio-ports/*/name"):
        with open(path) as file:
            if file.read().strip() == PORT:
                return f"/dev/{path.split('/')[-2]}", False
    return CONSOLE, True


class Channel:
    def __init__(self):
        path, is_tty = find()
        self.fd = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
        self.is_tty = is_tty
        if is_tty:
            tty.setraw(self.fd)

    def say(self, line):
        data = line.encode() + b"\n"
        while data:
            data = data[os.write(self.fd, data):]
        if self.is_tty:
            termios.tcdrain(self.fd)

    def record(self, **what):
        line = json.dumps(what)
        if len(line) <= PIECE:
            self.say(line)
        else:
            self.pieces("long", line)

    def pieces(self, key, what, **more):
        """What is too long for one line, as JSON that is cut into pieces."""
        text = json.dumps({key: what, **more})
        pieces = [text[i:i + PIECE // 2] for i in range(0, len(text), PIECE // 2)]
        for number, piece in enumerate(pieces):
            self.say(json.dumps({"piece": piece, "last": number == len(pieces) - 1}))


class KernelLog:
    """What the kernel has logged since the last look."""

    def __init__(self):
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.lseek(self.fd, 0, os.SEEK_END)

    def lines(self, most=100):
        found = []
        while True:
            try:
                text = os.read(self.fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return found[:most]
            except BrokenPipeError:     # overwritten before it was read
                continue
            found.append(re.sub(r"^[^;]*;", "", text).split("\n")[0])
