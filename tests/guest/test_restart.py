# SPDX-License-Identifier: BSD-3-Clause
"""The switch, or a QEMU, is killed and started again: the others go on, traffic resumes."""

import concurrent.futures
import time

import pytest
from guest import transfer
from guestnet import pair
from marks import choose

KILLS = 3
BACK_S = 10  # generous: on an idle machine it takes 1.5 s with `mode: server`, 0.4 s with client

# mode of the ports, and of each guest: properties of its NIC
SETTINGS = {
    'server': ('server', '', ''),
    'client': ('client', '', ''),
    'server, packed': ('server', 'packed=on', 'packed=on'),
    'client, one packed': ('client', 'packed=on', ''),
}


@pytest.fixture(scope='module', name='net',
                params=choose(SETTINGS, 'server', 'client, one packed'))
def fixture_net(request, image):
    """Two guests; QEMU connects to the switch, or the switch to QEMU."""
    with pair(image, *SETTINGS[request.param]) as net:
        net.check_pings(1)
        yield net


@pytest.mark.parametrize('end', ['kill9', 'stop'])
def test_switch_comes_back(net, end):
    """The switch is gone and another one takes its place."""
    assert getattr(net.daemon, end)() in (None, 0)
    net.daemon.start()
    net.wait_pings(BACK_S)
    net.check_pings()


def test_transfer_survives_switch(net):
    """A transfer that the switch dies under goes on, and its file is whole."""
    size = 32 << 20
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


def begin_stream(net):
    """vm1 sends to vm2 without end, in vain until vm2 receives."""
    net['vm2'].run('nc -l -p 6000 -e sh -c "cat >/dev/null" </dev/null >/dev/null 2>&1 &')
    net['vm1'].run(f'nc {net["vm2"].ip} 6000 -e cat /dev/zero </dev/null >/dev/null 2>&1 &')


def wait_stream(net):
    """Waits until some of it has come."""
    start = net.daemon.port('vm2')['tx_bytes']
    end = time.monotonic() + 60
    while net.daemon.port('vm2')['tx_bytes'] < start + (1 << 20):
        assert time.monotonic() < end, f'vm2 receives nothing; {net.picture()}'
        time.sleep(0.01)


def test_switch_is_killed_again_and_again(net):
    """Wherever in a burst the switch is killed, the next one finds its place in the rings."""
    begin_stream(net)
    for _ in range(KILLS):
        wait_stream(net)
        net.daemon.kill9()
        net.daemon.start()
        net.daemon.wait_link('vm1', 'vm2')
    wait_stream(net)
    net['vm1'].run('killall cat')
    net.check_pings()


def test_qemu_comes_back(net):
    """A QEMU dies while its guest receives; the others don't notice, a new one takes the port."""
    vm1, vm2 = net['vm1'], net['vm2']
    begin_stream(net)
    wait_stream(net)
    vm2.kill9()
    assert vm1.ping(net.host.ip) == 3
    assert net.host.ping(vm1.ip) == 3
    net.daemon.wait_link('vm2', up=False)
    vm1.run('killall cat')
    net.boot('vm2')
    net.wait_pings(BACK_S)
    assert transfer(vm1, vm2, 4).intact()
    assert transfer(vm2, vm1, 4).intact()
