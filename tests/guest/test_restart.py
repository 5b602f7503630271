# SPDX-License-Identifier: BSD-3-Clause
"""The switch, or a QEMU, is killed and started again: the others go on, traffic resumes."""

import concurrent.futures
import time

import pytest
from guest import transfer
from guestnet import GuestNet

BACK_S = 10  # generous: on an idle machine it takes 1.5 s with `mode: server`, 0.4 s with client


@pytest.fixture(scope='module', name='net', params=['server', 'client'])
def fixture_net(request, image):
    """Two guests; QEMU connects to the switch, or the switch to QEMU."""
    with GuestNet(image, {name: {'mode': request.param} for name in ('vm1', 'vm2')}) as net:
        net.check_pings(1)
        yield net


@pytest.mark.parametrize('end', ['kill9', 'stop'])
def test_switch_comes_back(net, end):
    """The switch is gone and another one takes its place."""
    for _ in range(2):
        assert getattr(net.daemon, end)() in (None, 0)
        net.daemon.start()
        net.wait_pings(BACK_S)
    net.check_pings()


def test_transfer_survives_switch(net):
    """A transfer that the switch dies under goes on, and its file is whole."""
    size = 48 << 20
    with concurrent.futures.ThreadPoolExecutor() as pool:
        work = pool.submit(transfer, net['vm1'], net['vm2'], size >> 20)
        start = net.daemon.port('vm2')['tx_bytes']
        end = time.monotonic() + 60
        while net.daemon.port('vm2')['tx_bytes'] < start + (4 << 20):
            assert time.monotonic() < end and not work.done(), 'the transfer does not get going'
            time.sleep(0.01)
        net.daemon.kill9()
        assert not work.done(), 'the transfer was over before the switch was killed'
        net.daemon.start()
        assert work.result().intact()


def test_qemu_comes_back(net):
    """A QEMU dies while its guest receives; the others don't notice, a new one takes the port."""
    vm1, vm2 = net['vm1'], net['vm2']
    vm2.run('nc -l -p 6000 -e sh -c "cat >/dev/null" </dev/null >/dev/null 2>&1 &')
    vm1.run(f'nc {vm2.ip} 6000 -e cat /dev/zero </dev/null >/dev/null 2>&1 &')
    start = net.daemon.port('vm2')['tx_bytes']
    end = time.monotonic() + 20
    while net.daemon.port('vm2')['tx_bytes'] < start + (1 << 20):
        assert time.monotonic() < end, 'vm2 receives nothing'
        time.sleep(0.01)
    vm2.kill9()
    assert vm1.ping(net.host.ip) == 3
    assert net.host.ping(vm1.ip) == 3
    net.daemon.wait_link('vm2', up=False)
    vm1.run('killall cat')
    net.boot('vm2')
    net.wait_pings(BACK_S)
    assert transfer(vm1, vm2, 4).intact()
    assert transfer(vm2, vm1, 4).intact()
