# SPDX-License-Identifier: BSD-3-Clause
"""test_offload_conf.py: offloads that a port may not use: what its guest is offered, and what a
running guest gets when they change."""

import pytest

from offload_net import Way, switch
from rawguest import (CSUM, GUEST_ALL, GUEST_CSUM, GUEST_TSO, GUEST_USO, HOST_ALL, HOST_TSO,
                      HOST_USO)

TSO, USO = GUEST_TSO | HOST_TSO, GUEST_USO | HOST_USO
ALL = GUEST_ALL | HOST_ALL
BITS = {'checksum': ALL, 'tso': TSO, 'uso': USO}  # that go with an offload
GUESTS = {name: {'features': ALL, 'size': 512, 'packed': name == 'b'} for name in 'ab'}


def both_ways(net):
    """All kinds of frames, from each guest to the other."""
    for src, dst in (('a', 'b'), ('b', 'a')):
        way = Way(net, src, dst)
        way.run(way.frames())


def reconnect(net, name):
    """The guest ends, and another one comes."""
    net.disconnect(name)
    net.daemon.wait_link(name, up=False)
    net.connect(name)
    net.daemon.wait_link(name)
    net.after(name)


@pytest.mark.parametrize('key', BITS)
def test_offered(key):
    """A guest is not offered what its port may not use; others are, and all frames arrive."""
    with switch({'a': 'raw', 'b': 'raw'}, GUESTS, {'b': {'offloads': {key: False}}}) as net:
        assert net['a'].offered & ALL == ALL
        assert net['b'].offered & ALL == ALL & ~BITS[key]
        assert net['b'].offered & (CSUM | GUEST_CSUM) or key == 'checksum'
        both_ways(net)


@pytest.mark.parametrize('key', BITS)
def test_at_run_time(key):
    """What is switched off, the switch does at once, and the guest loses nothing: what it leaves
    to the switch is done, too. What is switched on again, the guest still takes."""
    with switch({'a': 'raw', 'b': 'raw'}, GUESTS) as net:
        both_ways(net)
        net.daemon.ctl('port', 'set', 'b', f'offloads.{key}=false')
        assert net['b'].features & ALL == ALL
        net['b'].lost = BITS[key]
        both_ways(net)
        net.daemon.ctl('port', 'set', 'b', f'offloads.{key}=true')
        net['b'].lost = 0
        both_ways(net)
        reconnect(net, 'b')
        assert net['b'].offered & ALL == ALL
        both_ways(net)
        net.daemon.ctl('port', 'set', 'b', f'offloads.{key}=false')
        reconnect(net, 'b')
        assert net['b'].offered & ALL == ALL & ~BITS[key]
        both_ways(net)
