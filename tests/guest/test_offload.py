# SPDX-License-Identifier: BSD-3-Clause
"""Guests with different offloads, and the host, talk; what one does not take the switch finishes,
also while guests switch theirs on and off."""

import os

import pytest
from daemon import build_dir
from guest import transfer
from guestnet import GuestNet
from marks import choose

NO_RX = 'guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off'
# properties of the NICs of vm1, which has all offloads, and vm2; keys of the ports
SETTINGS = {
    'split, vm2 takes none': ('', NO_RX, {}),
    'packed, vm2 takes checksums': ('packed=on', 'packed=on,guest_tso4=off,guest_tso6=off', {}),
    'vm2 packed, has none': ('', f'packed=on,csum=off,{NO_RX}', {}),
    'vm2 without mergeable buffers': ('', 'mrg_rxbuf=off', {}),
    'library': ('', NO_RX, {'datapath': 'library'}),
}
LARGE = 4000  # bytes of a frame on average: most are long ones


@pytest.fixture(scope='module', name='net',
                params=choose(SETTINGS, 'split, vm2 takes none', 'vm2 packed, has none'))
def fixture_net(request, image):
    """Two guests and the host. The rings have room for some long frames."""
    vm1, vm2, port = SETTINGS[request.param]
    nics = {name: {'options': f'rx_queue_size=1024,{options}'.rstrip(',')}
            for name, options in (('vm1', vm1), ('vm2', vm2))}
    with GuestNet(image, {name: port for name in nics}, nics) as net:
        for name in nics:
            net.put(name, os.path.join(build_dir(), 'tests', 'lib', 'nictool'), '/tmp/nictool')
        yield net


def frame_len(net, name, way, act):
    """Bytes of a frame on average that a port received or sent while act() ran."""
    before = net.daemon.counts(name)
    act()
    after = net.daemon.counts(name)
    return ((after[f'{way}_bytes'] - before[f'{way}_bytes']) /
            (after[f'{way}_frames'] - before[f'{way}_frames']))


def test_transfer(net):
    """A file arrives as it was sent, in every direction."""
    for sender, receiver in net.pairs():
        done = transfer(sender, receiver, 4)
        assert done.intact(), f'{sender.name} to {receiver.name}: {done}; {net.picture()}'


def test_long_frames(net):
    """vm1 sends long frames; vm2 gets them so only if it takes them."""
    shown = net.daemon.port('vm2')['details']['offloads_to_guest']
    lens = {}

    def act():
        lens['rx'] = frame_len(net, 'vm1', 'rx',
                               lambda: transfer(net['vm1'], net['vm2'], 8).intact())
    lens['tx'] = frame_len(net, 'vm2', 'tx', act)
    assert lens['rx'] > LARGE
    assert (lens['tx'] > LARGE) == ('tso4' in shown), f'{lens}, vm2 takes: {shown}'
    assert lens['tx'] <= 1514 or 'tso4' in shown


def test_ping(net):
    """Everybody answers everybody: small, as large as one frame takes, and in fragments."""
    for size in (56, 1472, 20000):
        net.check_pings(2, size)


def test_switched_while_talking(net):
    """Guests switch their offloads on and off all the time while they send and receive."""
    for name in ('vm1', 'vm2'):
        net[name].run('rm -f /tmp/stop; (while [ ! -e /tmp/stop ]; do '
                      'for name in tso tx gro gso sg; do for value in off on; do '
                      '/tmp/nictool offload eth0 $name $value; '
                      'usleep 20000; done; done; done; rm /tmp/stop) </dev/null >/dev/null 2>&1 &')
    for sender, receiver in net.pairs():
        done = transfer(sender, receiver, 8)
        assert done.intact(), f'{sender.name} to {receiver.name}: {done}; {net.picture()}'
    for name in ('vm1', 'vm2'):
        net[name].run('touch /tmp/stop; while [ -e /tmp/stop ]; do usleep 20000; done')


def test_jumbo(net):
    """With an MTU of 9000 from the ports to the guests, frames of that length pass whole, and files
    arrive, from guest to guest, to the host and from it."""
    if 'MRG_RXBUF' not in net.daemon.port('vm2')['details']['features'].split():
        pytest.skip('the driver of vm2 has no buffers for it')
    for name in ('vm1', 'vm2', 'inband'):
        net.daemon.ctl('port', 'set', name, 'mtu=9000')
    for name in ('vm1', 'vm2'):
        net[name].run('ip link set eth0 mtu 9000')
    for sender, receiver in ((net['vm1'], net['vm2']), (net['vm2'], net.host),
                             (net.host, net['vm1'])):
        port = 'inband' if receiver is net.host else receiver.name
        length = frame_len(net, port, 'tx', lambda: sender.ping(receiver.ip, 5, 8972))
        assert length > 4000, f'{sender.name} to {receiver.name}: {length}; {net.picture()}'
        done = transfer(sender, receiver, 4)
        assert done.intact(), f'{sender.name} to {receiver.name}: {done}; {net.picture()}'
