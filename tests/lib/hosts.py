# SPDX-License-Identifier: BSD-3-Clause
"""hosts.py: hosts with IP stacks of their own, which are network namespaces, and TCP between them.

    with Host() as a, Host() as b:
        b.run(socket.create_server, ('10.77.0.2', 0))    # a socket of b's, for whoever has it
        a.tool('ip', 'link', 'set', 'lo', 'up')
        transfer(a, b, '10.77.0.2', data)                # and fails unless all arrived
"""

import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

from tap import unshare_net


class Host:
    """A thread, and the namespace that it is in; a context. Processes that it has started, as those
    of Daemon, may end with it."""

    def __init__(self, own=True):
        """own: a new namespace; else that of the tests."""
        self.thread = ThreadPoolExecutor(1, initializer=unshare_net if own else None)

    def run(self, do, *args, **more):
        """What do() returns, called in the namespace."""
        return self.thread.submit(do, *args, **more).result()

    def tool(self, *words):
        """What a program that must work writes."""
        return self.run(subprocess.run, words, check=True, capture_output=True, text=True).stdout

    def take(self, ifname):
        """Takes an interface of the tests' namespace."""
        subprocess.run(['ip', 'link', 'set', ifname, 'netns',
                        str(self.run(threading.get_native_id))], check=True)

    def counter(self, protocol, name):
        """A counter of /proc/net/snmp."""
        def read():
            with open('/proc/thread-self/net/snmp', encoding='ascii') as f:
                names, values = [line.split() for line in f if line.startswith(f'{protocol}: ')]
            return int(values[names.index(name)])
        return self.run(read)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.thread.shutdown()


def receive(server):
    """All that the first one to connect sends."""
    data = bytearray()
    with server, server.accept()[0] as peer:
        peer.settimeout(30)
        while part := peer.recv(1 << 20):
            data += part
    return bytes(data)


def transfer(src, dst, address, data):
    """Sends data by TCP to an address of dst's; fails unless that is what comes."""
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    server = dst.run(socket.create_server, (address, 0), family=family)
    server.settimeout(10)
    with ThreadPoolExecutor(1) as pool:
        receiving = pool.submit(receive, server)
        with src.run(socket.create_connection, server.getsockname()[:2], 10) as peer:
            peer.sendall(data)
        got = receiving.result()
    if got != data:
        wrong = next((i for i, (a, b) in enumerate(zip(got, data)) if a != b), 'none')
        raise AssertionError(f'{len(got)} of {len(data)} bytes came; first wrong: {wrong}')
