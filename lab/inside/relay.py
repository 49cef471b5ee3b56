# SPDX-License-Identifier: GPL-2.0-only
"""Connections between two Unix sockets that take their time, both ways: a network."""

import math
import queue
import socket
import threading
import time

from qemu import listener, put

CHUNK = 1 << 14
# On the way at a time; who sends more has to wait. Few: what is on the way cannot be asked for.
CHUNKS = 4
# Of sockets made from now on, for the same reason: what the sender's holds.
WMEM = "/proc/sys/net/core/wmem_default"


def receive(source, way, delay, rate):
    """rate: bytes per second."""
    free = 0
    while data := source.recv(CHUNK):
        free = max(free, time.monotonic()) + len(data) / rate
        way.put((free + delay, data))
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


def connect(source, sink, delay, rate):
    way = queue.Queue(CHUNKS)
    for function, args in ((receive, (source, way, delay, rate)), (deliver, (way, sink))):
        threading.Thread(target=function, args=args, daemon=True).start()


class Relay:
    """Listens under a name, and has connections of its own to another.

    rates: of each connection that is to come, in bytes per second.
    """

    def __init__(self, name, target, delay, rates):
        self.server = listener(name)
        self.target = target
        self.delay = delay
        self.rates = rates
        put(WMEM, str(CHUNK))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        for rate in self.rates:
            source, _ = self.server.accept()
            sink = socket.socket(socket.AF_UNIX)
            sink.connect(self.target)
            connect(source, sink, self.delay, rate)
            connect(sink, source, self.delay, math.inf)
