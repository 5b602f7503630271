# SPDX-License-Identifier: BSD-3-Clause
"""A guest with 16 queue pairs changes how many it uses while it talks: nothing stalls, and what a
flow sends stays in order."""

import collections
import os
import socket
import struct
import threading
import time

import pytest
from daemon import build_dir, wait_until
from guest import transfer
from guestnet import HOST, GuestNet
from marks import choose

QUEUES = 16
CHANGES = (16, 3, 16, 1)
FLOWS = 256  # the guest spreads them over its queues: none stays without one
ROUNDS = 20  # datagrams of each flow that must come each time
PORT = 7000
CPUS = sorted(os.sched_getaffinity(0))[:2]
DATAGRAM = struct.Struct('!II')


class Listener:
    """Takes the datagrams of `nictool send`."""

    def __init__(self):
        self.counts = collections.Counter()  # flow -> datagrams since the last clear()
        self.last = {}
        self.disorder = []
        self.lock = threading.Lock()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((HOST, PORT))
        self.socket.settimeout(0.1)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        """The thread."""
        while not self.stop.is_set():
            try:
                data, source = self.socket.recvfrom(64)
            except TimeoutError:
                continue
            _, number = DATAGRAM.unpack(data)
            with self.lock:
                if number <= self.last.get(source, -1):
                    self.disorder.append((source, number, self.last[source]))
                self.last[source] = number
                self.counts[source] += 1

    def clear(self):
        """Forgets what came, and how it was ordered."""
        with self.lock:
            self.counts.clear()
            self.disorder.clear()

    def is_flowing(self):
        """Whether each flow has come often enough since clear()."""
        with self.lock:
            return len(self.counts) == FLOWS and min(self.counts.values()) >= ROUNDS

    def close(self):
        """Ends the thread."""
        self.stop.set()
        self.thread.join()
        self.socket.close()


def interrupts(guest):
    """How often the guest was told that what it sent is done, for each queue."""
    counts = [0] * QUEUES
    for line in guest.run('cat /proc/interrupts').splitlines():
        words = line.split()
        name, _, queue = words[-1].rpartition('.')
        if name.endswith('-output'):
            counts[int(queue)] = sum(int(word) for word in words[1:] if word.isdigit())
    return counts


def queues_on(net, name):
    """The queues that are on, both ways: what `port show` says."""
    port = net.daemon.port(name)['details']
    rx, tx = ([int(word.split(':')[0]) for word in port.get(key, '').split()]
              for key in ('rx_rings', 'tx_rings'))
    return rx if rx == tx else None


def begin_sending(guest):
    """The guest sends by new sockets from now on."""
    guest.run(f'killall nictool 2>/dev/null; nictool send {HOST} {PORT} {FLOWS} '
              '</dev/null >/dev/null 2>&1 &')


@pytest.mark.parametrize('rings', choose(['split', 'packed'], 'split'))
def test_number_of_pairs(image, rings):
    """1, 16, 3, 16, 1 pairs: those that are on are used, all of them, and no others."""
    with GuestNet(image, {'vm1': {'queues': QUEUES, 'lcores': CPUS}},
                  {'vm1': {'options': 'packed=on' if rings == 'packed' else ''}},
                  switch={'workers': CPUS}) as net:
        vm1 = net['vm1']
        assert net.is_packed('vm1') == (rings == 'packed')
        net.put('vm1', os.path.join(build_dir(), 'tests', 'lib', 'nictool'), '/bin/nictool')
        polled = {(queue['queue'], worker['cpu'])
                  for worker in net.daemon.ctl('worker', 'list')['workers']
                  for queue in worker['queues'] if queue['port'] == 'vm1'}
        assert polled == {(queue, CPUS[queue % len(CPUS)]) for queue in range(QUEUES)}
        assert queues_on(net, 'vm1') == [0]  # as many as it has CPUs
        listener = Listener()
        try:
            begin_sending(vm1)
            for n_pairs in CHANGES:
                wait_until('all flows', listener.is_flowing, 30)
                vm1.run(f'nictool pairs eth0 {n_pairs}')
                wait_until(f'{n_pairs} pairs',
                           lambda n=n_pairs: queues_on(net, 'vm1') == list(range(n)))
                listener.clear()
                wait_until(f'all flows go on with {n_pairs} pairs', listener.is_flowing, 30)
                # a socket stays with its queue as long as that is on: new ones take them all
                begin_sending(vm1)
                time.sleep(0.5)  # what the old ones sent has come, or never will
                before = interrupts(vm1)
                listener.clear()
                wait_until(f'all flows with {n_pairs} pairs', listener.is_flowing, 30)
                assert not listener.disorder, listener.disorder[:10]
                after = interrupts(vm1)
                used = [queue for queue in range(QUEUES) if after[queue] > before[queue]]
                assert used == list(range(n_pairs)), f'{before} {after}'
                assert vm1.ping(HOST) == 3
                assert transfer(net.host, vm1, 1).intact()
        finally:
            listener.close()
        assert net.daemon.port('vm1')['link'] == 'up'
