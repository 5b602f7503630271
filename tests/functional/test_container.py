# SPDX-License-Identifier: BSD-3-Clause
"""test_container.py: DPDK programs in containers: net_virtio_user on a port's socket, out of mount
and network namespaces of their own (docs/qemu.md)."""

import contextlib
import os
import re
import subprocess

import pytest

from daemon import Daemon, free_hugepages, wait_until
from marks import choose

MEMORY = {
    # memfds of hugepages, not more than the protocol takes: no file system of theirs is needed
    'hugepages': ['--in-memory', '--single-file-segments'],
    'no-huge': ['--no-huge', '--no-shconf'],
}
HOST, CONTAINER = '10.79.0.254', '10.79.0.1'


@contextlib.contextmanager
def container(path, mode, memory):
    """dpdk-testpmd that answers ARP and pings, whoever is asked for, on the port's socket."""
    device = f'net_virtio_user0,path={path},mac=02:00:00:00:0c:01,queues=1'
    if mode == 'client':  # of the port: the container listens
        device += ',server=1'
    command = ['unshare', '--mount', '--net', '--propagation', 'private', 'dpdk-testpmd',
               '--lcores', '0@0,1@0', '--no-pci', '--no-telemetry', '--file-prefix', 'container',
               '-m', '128', *MEMORY[memory], '--vdev', device, '--',
               '--forward-mode=icmpecho', '--total-num-mbufs=2048']
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        print(process.communicate()[0])


def pings(n):
    """How many of n the container answered."""
    done = subprocess.run(['ping', '-n', '-q', '-c', str(n), '-i', '0.05', '-W', '2', CONTAINER],
                          capture_output=True, text=True, check=False)
    return int(re.search(r'(\d+) (?:packets )?received', done.stdout).group(1))


CASES = {f'{mode}, {memory}': (mode, memory) for mode in ('server', 'client') for memory in MEMORY}


@pytest.mark.parametrize('case', choose(CASES, 'server, no-huge', 'client, hugepages'))
def test_container(case):
    """The host pings it; another one takes over when it was killed."""
    mode, memory = CASES[case]
    if memory == 'hugepages' and free_hugepages() < 192 << 20:
        pytest.skip('fewer than 96 free hugepages of 2M')
    ports = [{'name': 'c', 'type': 'vhost-user', 'socket': 'c.sock', 'mode': mode},
             {'name': 'host', 'type': 'tap', 'ifname': 'vst-host', 'address': [f'{HOST}/24']}]
    with Daemon({'ports': ports}) as d:
        for _ in range(2):
            with container(d.path('c.sock'), mode, memory) as process:
                d.wait_link('c')
                wait_until('all answers', lambda: pings(5) == 5, 30)
                assert process.poll() is None
            d.wait_link('c', up=False)
            if mode == 'client':
                wait_until('its socket', lambda: os.path.exists(d.path('c.sock')))
                os.unlink(d.path('c.sock'))  # of who was killed
        entries = {e['mac']: e['port'] for e in d.ctl('fdb', 'list')['entries']}
        assert entries['02:00:00:00:0c:01'] == 'c'
