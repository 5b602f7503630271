# SPDX-License-Identifier: BSD-3-Clause
"""test_fdb.py: learning, moving, flushing, tags, and what a bridge must not forward."""

import pytest

from daemon import wait_until
from frames import BROADCAST, build
from net import Net, only_to, to_all

THREE = {'a': 'server', 'b': 'server', 't': 'tap'}
MOBILE = '02:bb:00:00:00:01'


@pytest.fixture(scope='module', name='net')
def fixture_net():
    """Two guests and a TAP."""
    with Net(THREE) as net:
        yield net


@pytest.fixture(autouse=True)
def forget(request):
    """Each test starts with an empty table and nothing on its way."""
    if 'net' in request.fixturenames:
        net = request.getfixturevalue('net')
        net.learn()
        net.daemon.ctl('fdb', 'flush')


def test_learns(net):
    """Unknown is flooded; from the first frame of a station on, only its port gets its frames."""
    assert to_all(net, 'a', net.macs['b'])
    net.after('b')
    assert only_to(net, 'a', 'b', net.macs['b'])
    entries = net.daemon.ctl('fdb', 'list')['entries']
    ours = {e['mac']: e for e in entries}
    assert ours[net.macs['a']]['port'] == 'a'
    assert ours[net.macs['b']]['port'] == 'b'
    assert ours[net.macs['b']]['vlan'] == 0
    assert ours[net.macs['b']]['static'] is False
    assert ours[net.macs['b']]['age_s'] <= 5
    assert net.daemon.port('b')['stations'] == 1
    assert net.daemon.ctl('status')['stations'] == len(entries)


def test_moves(net):
    """A station that shows up elsewhere is followed at once."""
    for name in ('b', 't', 'b'):
        net[name].send(build(BROADCAST, MOBILE, next(net.numbers)))
        net.after(name)
        assert only_to(net, 'a', name, MOBILE)
        assert net.fdb()[0, MOBILE] == name


def test_flush(net):
    """fdb flush forgets all stations or those of one port; traffic is flooded, then learned."""
    net.learn()
    assert set(net.fdb().values()) == {'a', 'b', 't'}
    net.daemon.ctl('fdb', 'flush', 'b')
    assert set(net.fdb().values()) == {'a', 't'}
    assert to_all(net, 'a', net.macs['b'])
    assert only_to(net, 'a', 't', net.macs['t'])
    net.daemon.ctl('fdb', 'flush')
    assert not net.fdb()
    assert 'nosuch' in net.daemon.ctl_fail('fdb', 'flush', 'nosuch')
    net.learn()
    assert only_to(net, 'a', 'b', net.macs['b'])


def test_same_port(net):
    """A frame to a station behind the port it comes from goes nowhere, and is counted."""
    before = net.counts('a')['drops']['rx-same-port']
    net['a'].send(build(BROADCAST, MOBILE, next(net.numbers)))
    net.after('a')
    net['a'].send_many([build(MOBILE, net.macs['a'], n) for n in range(3)])
    assert not any(net.after('a').values())
    assert not net['a'].take()
    net.wait_drops('a', 'rx-same-port', before + 3)


@pytest.mark.parametrize('last', [0x00, 0x01, 0x02, 0x03, 0x0e, 0x0f])
@pytest.mark.parametrize('src', ['a', 't'])
def test_link_local(net, src, last):
    """What a bridge keeps for itself is not forwarded."""
    before = net.counts(src)['drops']['rx-link-local']
    net[src].send(build(f'01:80:c2:00:00:{last:02x}', net.macs[src], next(net.numbers)))
    net[src].send(build(f'01:80:c2:00:00:{last:02x}', net.macs[src], next(net.numbers),
                        tags=[(0x8100, 7)]))
    assert not any(net.after(src).values())
    net.wait_drops(src, 'rx-link-local', before + 2)


@pytest.mark.parametrize('mac', ['01:80:c2:00:00:10', '01:80:c2:00:00:21', '01:80:c2:00:01:00'])
def test_not_link_local(net, mac):
    """Its neighbours are."""
    assert to_all(net, 'a', mac)


@pytest.mark.parametrize('src', ['a', 't'])
@pytest.mark.parametrize('mac', ['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', '00:00:00:00:00:00'])
def test_bad_source(net, src, mac):
    """A source that can't be a station's: dropped, counted, not learned."""
    before = net.counts(src)['drops']['rx-bad-source']
    net[src].send(build(net.macs['b'], mac, next(net.numbers)))
    assert not any(net.after(src).values())
    net.wait_drops(src, 'rx-bad-source', before + 1)
    assert (0, mac) not in net.fdb()


def test_runts(net):
    """Shorter than a header, or than header and tag: dropped and counted, the next is delivered."""
    before = net.counts('a')['drops']['rx-runt']
    whole = net.frame('a', 'b')
    runts = [whole[:n] for n in (1, 5, 12, 13)]
    tagged = build(net.macs['b'], net.macs['a'], 1, tags=[(0x8100, 5)])
    runts += [tagged[:n] for n in (14, 15, 17)]
    net['a'].send_many(runts)
    assert not any(net.after('a').values())
    net.wait_drops('a', 'rx-runt', before + len(runts))


def test_short_but_whole(net):
    """A header alone, or with its tag, is a frame: guests do send less than 60 bytes."""
    plain = bytes.fromhex('ffffffffffff') + bytes.fromhex(net.macs['a'].replace(':', ''))
    for frame in (plain + b'\x88\xb5', plain + b'\x88\xb5' + b'x' * 10,
                  plain + b'\x81\x00\x00\x05\x88\xb5'):
        net['a'].send(frame)
        assert net.after('a')['b'] == [frame]


TAGS = {
    'vlan5': [(0x8100, 5)],
    'priority': [(0x8100, 0xa000)],
    'pcp-dei-vlan4094': [(0x8100, 0xfffe)],
    'service': [(0x88a8, 100)],
    'double': [(0x88a8, 100), (0x8100, 5)],
    'triple': [(0x8100, 1), (0x8100, 2), (0x8100, 3)],
}


@pytest.mark.parametrize('name', TAGS)
@pytest.mark.parametrize('src,dst', [('a', 'b'), ('a', 't'), ('t', 'a')])
def test_tags_pass(net, src, dst, name):
    """Tagged frames of all sizes pass as they are, known or flooded."""
    tags = TAGS[name]
    net[dst].send(net.frame(dst, tags=tags))
    net.after(dst)
    room = 4 * (len(tags) - 1)  # only the outer tag is not part of the MTU
    if src == 't' and tags[0][0] != 0x8100:
        room += 4  # to the kernel that sends, an outer tag is one of 802.1Q
    frames = [net.frame(src, dst, n, size, tags=tags)
              for n, size in enumerate(range(60, 1515 - room, 13))]
    frames.append(net.frame(src, dst, 9999, 1514 - room, tags=tags))
    got = net.exchange(src, dst, frames)
    net.check_frames([f for _, f in got], frames, f'{src} to {dst}')
    assert not any(net.after(src).values())
    flooded = net.frame(src, size=700, tags=tags)
    net[src].send(flooded)
    assert all(fs == [flooded] for fs in net.after(src).values())


def test_vlans_learn_apart(net):
    """A station known in one VLAN is unknown in others; priority tags belong to no VLAN."""
    net['b'].send(build(BROADCAST, MOBILE, 1, tags=[(0x8100, 5)]))
    net['t'].send(build(BROADCAST, MOBILE, 2, tags=[(0x8100, 6)]))
    wait_until('both learned', lambda: {(5, MOBILE), (6, MOBILE)} <= set(net.fdb()), 5)
    for name in net.stations:
        net[name].recv(9, 0.2)
    assert net.fdb()[5, MOBILE] == 'b'
    assert net.fdb()[6, MOBILE] == 't'
    assert only_to(net, 'a', 'b', MOBILE, tags=[(0x8100, 5)])
    assert only_to(net, 'a', 'b', MOBILE, tags=[(0x8100, 0xe005)])
    assert only_to(net, 'a', 't', MOBILE, tags=[(0x8100, 6)])
    assert to_all(net, 'a', MOBILE, tags=[(0x8100, 7)])
    assert to_all(net, 'a', MOBILE)
    net['b'].send(build(BROADCAST, MOBILE, 3))
    net.after('b')
    assert only_to(net, 'a', 'b', MOBILE, tags=[(0x8100, 0xa000)])
