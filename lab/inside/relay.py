# SPDX-License-Identifier: GPL-2.0-only
"""A connection between two Unix sockets that takes its time, both ways: a network."""

import queue
import socket
import threading
import time

from qemu import listener

CHUNK = 1 << 16
# On the way at a time; who sends more has to wait.
CHUNKS = 16


def receive(source, way, delay):
    while data := source.recv(CHUNK):
        way.put((time.monotonic() + delay, data))
    way.put((0, b""))


def deliver(way, sink):
    while (item := way.get())[1]:
        time.sleep(max(0, item[0] - time.monotonic()))
        try:
            sink.sendall(item[1])
        except OSError:         # it does not want the rest
            break
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def connect(source, sink, delay):
    way = queue.Queue(CHUNKS)
    for function, args in ((receive, (source, way, delay)), (deliver, (way, sink))):
        threading.Thread(target=function, args=args, daemon=True).start()


class Relay:
    """Listens under a name, and has a connection of its own to another."""

    def __init__(self, name, target, delay):
        self.server = listener(name)
        self.target = target
        self.delay = delay
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        source, _ = self.server.accept()
        sink = socket.socket(socket.AF_UNIX)
        sink.connect(self.target)
        connect(source, sink, self.delay)
        connect(sink, source, self.delay)
