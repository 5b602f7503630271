# SPDX-License-Identifier: BSD-3-Clause
"""test_accounting.py: no frame to a port it was not meant for, none altered, none lost uncounted.

Numbered, checksummed frames of all sizes 60..1514 go through every pair of kinds of port, both
ways, with guests of different features, while stations on all other ports watch.
"""

import itertools
import random
from collections import Counter

import pytest

from daemon import wait_until
from frames import build, parse
from net import Net

pytestmark = pytest.mark.quick

# two ports of each kind, so that each kind also meets itself
PORTS = {'s1': 'server', 's2': 'server', 'c1': 'client', 'c2': 'client', 'l1': 'library',
         'l2': 'library', 'p1': 'packed', 'p2': 'packed', 't1': 'tap', 't2': 'tap'}
# no chains of eight and more buffers in packed rings (they go without an indirect table): after
# some hundred of them DPDK 22.11's guest and its own net_vhost stop, too
GUESTS = {
    's2': {'mrg_rxbuf': False, 'in_order': False},
    'c1': {'segment': 100},
    'c2': {'mrg_rxbuf': False, 'segment': 300},
    'l2': {'segment': 64},
    'p2': {'segment': 300},
}
SIZES = range(60, 1515)
PAIRS = [(a, b) for a, b in itertools.permutations(PORTS, 2)
         if a.endswith('1') and b.endswith('1') or a[0] == b[0]]
# the second guest of a kind has other features: it meets the plain ones, too
PAIRS += [(a, b) for a, b in [('s1', 'c2'), ('c2', 's1'), ('s2', 't1'), ('t1', 's2'), ('c2', 'l2'),
                              ('l2', 'c2'), ('p2', 's2'), ('s2', 'p2')]]


@pytest.fixture(scope='module', name='net')
def fixture_net():
    """The switch with all kinds of port."""
    with Net(PORTS, guest=GUESTS, switch={'memory': '256M'}) as net:
        net.learn()
        yield net


def counted(before, after, name, key):
    """How much a counter has grown."""
    return after[name][key] - before[name][key]


def drops(before, after):
    """Drops since before: (port, reason) -> n."""
    found = Counter()
    for name, port in after.items():
        for reason, n in port['drops'].items():
            found[name, reason] += n - before[name]['drops'].get(reason, 0)
    return {k: n for k, n in found.items() if n}


def test_every_kind_meets_every_kind():
    """The list of pairs is what this file promises."""
    met = {(PORTS[a], PORTS[b]) for a, b in PAIRS}
    assert met == set(itertools.product(set(PORTS.values()), repeat=2))


@pytest.mark.parametrize('src,dst', PAIRS, ids=[f'{a}-{b}' for a, b in PAIRS])
def test_all_sizes(net, src, dst):
    """All sizes from src arrive at dst as they were, nowhere else, and the counters say so."""
    sizes = list(SIZES)
    random.Random(f'{src}{dst}').shuffle(sizes)
    frames = [net.frame(src, dst, n, size) for n, size in enumerate(sizes)]
    before = net.all_counts()
    got = net.exchange(src, dst, frames)
    net.check_frames([f for _, f in got], frames, f'{src} to {dst}')
    seen = net.after(src)
    assert not any(seen.values()), \
        f'delivered to others: { {n: [parse(f) for f in fs] for n, fs in seen.items() if fs} }'

    def agree():
        after = net.all_counts()
        marker = 60
        return drops(before, after) == {} and \
            counted(before, after, src, 'rx_frames') == len(frames) + 1 and \
            counted(before, after, src, 'rx_bytes') == sum(sizes) + marker and \
            counted(before, after, src, 'rx_flooded') == 1 and \
            counted(before, after, src, 'tx_frames') == 0 and \
            counted(before, after, dst, 'tx_frames') == len(frames) + 1 and \
            counted(before, after, dst, 'tx_bytes') == sum(sizes) + marker and \
            all(counted(before, after, n, 'tx_frames') == 1 for n in net.others(src)
                if n != dst) and \
            all(counted(before, after, n, 'rx_frames') == 0 for n in net.others(src))
    try:
        wait_until('counters agree', agree, 5.0)
    except AssertionError as e:
        raise AssertionError(f'{e}: before {before}, after {net.all_counts()}') from None


@pytest.mark.parametrize('src', PORTS)
def test_flooding(net, src):
    """Broadcast, multicast and unknown unicast reach all other ports once, unaltered, in order, and
    never the port they came from."""
    frames = []
    for n in range(120):
        dst = ('ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:07', '02:99:99:99:99:99')[n % 3]
        frames.append(net.frame(src, dst, n, 60 + n * 12))
    net[src].send_many(frames[:60])
    first = net.after(src)
    net[src].send_many(frames[60:])
    second = net.after(src)
    for name in net.others(src):
        net.check_frames(first[name] + second[name], frames, f'{src} to {name}')
    assert not net[src].take(), 'came back to where it came from'


def ordered_part(got, sent):
    """Fails unless got is sent with some left out."""
    left = iter(sent)
    for frame in got:
        parse(frame)
        assert any(frame == s for s in left), 'a frame twice, altered or out of order'


@pytest.mark.parametrize('src,dst', [('s1', 's2'), ('s1', 'c2'), ('s1', 'l1'), ('l1', 's1'),
                                     ('s1', 'p1'), ('s1', 't1'), ('t1', 's1')])
def test_as_fast_as_it_goes(net, src, dst):
    """Without waiting for anything: delivered and counted as dropped are all that came in."""
    n_frames = 6000
    sizes = [60, 1514, 300, 61, 999]
    frames = [net.frame(src, dst, n, sizes[n % len(sizes)]) for n in range(n_frames)]
    before = net.all_counts()
    net[src].send_many(frames)

    def settled():
        after = net.all_counts()
        came = counted(before, after, src, 'rx_frames')
        # the kernel drops what does not fit into a TAP's queue before the switch can count it
        return came if came == n_frames or net.kinds[src] == 'tap' else 0
    wait_until(f'{n_frames} frames came in', settled, 20.0)
    got = [f for _, f in net[dst].recv_queues(n_frames, 1.0)]
    if net.kinds[dst] == 'tap':
        assert net[dst].kernel_drops() == 0, 'the test was too slow a reader'
    after = net.all_counts()
    came = counted(before, after, src, 'rx_frames')
    lost = drops(before, after)
    ordered_part(got, frames)
    assert set(lost) <= {(dst, 'tx-no-room')}
    assert len(got) + sum(lost.values()) == came
    assert counted(before, after, dst, 'tx_frames') == len(got)
    seen = net.after(src)
    assert not any(seen.values())


def test_slow_reader_is_alone(net):
    """A guest that does not read loses its own frames, counted; others lose none."""
    size = 1514
    slow = [net.frame('s1', 's2', n, size) for n in range(30000)]
    before = net.all_counts()
    sent = 0
    while sent < len(slow):
        # s2 is not read from: vguest's buffer fills up, then the guest's ring
        net['s1'].send_many(slow[sent:sent + 1000])
        sent += 1000
        others = [net.frame('s1', 'c1', sent + n) for n in range(32)]
        got = net.exchange('s1', 'c1', others)
        net.check_frames([f for _, f in got], others, 's1 to c1 beside a slow guest')
    got = [f for _, f in net['s2'].recv_queues(len(slow), 2.0)]
    after = net.all_counts()
    lost = drops(before, after)
    ordered_part(got, slow)
    assert set(lost) == {('s2', 'tx-no-room')}, 'the slow guest lost nothing: no test'
    assert len(got) + lost['s2', 'tx-no-room'] == len(slow)
    assert not any(net.after('s1').values())


def test_stations_unknown_to_each_other(net):
    """Frames between two stations behind each port, as a guest that bridges has."""
    macs = {name: [f'02:aa:00:00:{i:02x}:{n:02x}' for n in range(20)]
            for i, name in enumerate(PORTS)}
    for name in PORTS:
        for mac in macs[name]:
            net[name].send(build('ff:ff:ff:ff:ff:ff', mac, 1))
        net.after(name)
    for src, dst in [('s1', 't1'), ('t1', 'c2'), ('c2', 'p1'), ('p1', 'l2'), ('l2', 's2')]:
        frames = [build(d, s, n) for n, (s, d) in
                  enumerate(itertools.product(macs[src], macs[dst]))]
        got = net.exchange(src, dst, frames)
        net.check_frames([f for _, f in got], frames, f'{src} to {dst}')
        assert not any(net.after(src).values())
