# SPDX-License-Identifier: BSD-3-Clause
"""test_reload.py: the configuration changes while the switch runs, by SIGHUP and `config apply`:
what did not change stays as it is, and what is refused changes nothing."""

import json
import os
import re
import signal

from daemon import Daemon, wait_until
from net import Net

GOOD = {'name': 'good', 'type': 'vhost-user', 'socket': 'good.sock'}


def names_of(daemon):
    """The ports there are."""
    return sorted(p['name'] for p in daemon.ctl('port', 'list')['ports'])


def test_apply():
    """config apply makes the ports those of the file; a wrong one changes nothing."""
    with Net({'a': 'server', 'b': 'server'}) as net:
        d = net.daemon
        net.learn()
        more = json.loads(json.dumps(d.config))
        more['ports'].append(dict(GOOD, socket=d.path('good.sock')))
        file = d.path('next.yaml')
        with open(file, 'w', encoding='utf-8') as f:
            json.dump(more, f)
        d.ctl('config', 'apply', file)
        assert names_of(d) == ['a', 'b', 'good']
        net.learn()  # guests of ports that stay are not disturbed
        more['ports'].append(dict(GOOD))
        with open(file, 'w', encoding='utf-8') as f:
            json.dump(more, f, indent=1)
        for command in ('check', 'apply'):
            said = d.ctl_fail('config', command, file)
            assert re.search(r':\d+: ports: good: ', said), said
        assert names_of(d) == ['a', 'b', 'good']
        more['ports'] = [p for p in more['ports'] if p['name'] == 'a']
        with open(file, 'w', encoding='utf-8') as f:
            json.dump(more, f)
        d.ctl('config', 'check', file)
        assert names_of(d) == ['a', 'b', 'good'], 'check changed something'
        d.ctl('config', 'apply', file)
        assert names_of(d) == ['a']
        assert not os.path.exists(d.path('good.sock'))


def test_apply_changes_a_port():
    """A port whose keys changed is made anew, others are left alone."""
    with Net({'a': 'server', 'b': 'server', 'c': 'server'}) as net:
        d = net.daemon
        net.learn()
        counted = net.counts('a')['rx_frames']
        config = json.loads(json.dumps(d.config))
        config['ports'][2]['max_macs'] = 5
        d.write(config)
        d.signal(signal.SIGHUP)
        d.wait_log(r'reload: .* is in force')
        assert d.log().count('port c: added') == 2
        net.disconnect('c')
        net.connect('c')
        d.wait_link('a', 'b', 'c')
        net.learn()
        assert net.counts('a')['rx_frames'] == counted + 1


def lives(net):
    """What a port has anew when it is made anew: name -> its id, and the connections of a guest."""
    found = {}
    for name in net.kinds:
        shown = net.daemon.port(name)
        found[name] = (shown['id'], shown['details'].get('connections'))
    return found


def test_reload_offloads():
    """Offloads change without a new port: the guest stays, and what is refused changes nothing."""
    with Net({'a': 'server', 'b': 'client', 'c': 'library'},
             conf={'b': {'offloads': {'tso': False, 'uso': False}}}) as net:
        d = net.daemon
        net.learn()
        before = lives(net)
        assert d.port('a')['offloads'] == ['checksum', 'tso', 'uso']
        assert d.port('b')['offloads'] == ['checksum']
        assert d.port('b')['details']['offloads_allowed'] == 'checksum'
        config = json.loads(json.dumps(d.config))
        config['ports'][0]['offloads'] = {'checksum': False}
        config['ports'][1]['offloads'] = {'uso': False}
        config['ports'][2]['offloads'] = {'tso': False}
        d.write(config)
        d.signal(signal.SIGHUP)
        d.wait_log(r'port c: offloads are checksum uso4 uso6 now')
        assert 'port a: offloads are none now' in d.log()
        assert 'port b: offloads are checksum tso4 tso6 ecn now' in d.log()
        shown = {n: d.port(n) for n in 'abc'}
        assert [shown[n]['offloads'] for n in 'abc'] == [[], ['checksum', 'tso'],
                                                         ['checksum', 'uso']]
        assert shown['a']['details']['offloads_allowed'] == 'none'
        assert lives(net) == before
        net.learn()
        # another port can't be had: all is as it was
        config['ports'][0]['offloads'] = {}
        config['ports'].append(dict(GOOD, socket='/dev/null/nowhere/x.sock'))
        d.write(config)
        d.signal(signal.SIGHUP)
        d.wait_log(r'nowhere.*\n(.*\n)*.*nothing was changed|nothing was changed.*nowhere')
        assert d.port('a')['offloads'] == []
        assert d.port('a')['details']['offloads_allowed'] == 'none'
        assert lives(net) == before
        net.learn()


def test_reload_switch_mtu():
    """The MTU of the switch is that of the ports that have none of their own, and changes with
    them running."""
    with Net({'a': 'server', 'b': 'server', 't': 'tap'}, switch={'mtu': 1400},
             conf={'b': {'mtu': 1500}}) as net:
        d = net.daemon
        net.learn()
        before = lives(net)
        assert d.ctl('status')['mtu'] == 1400
        assert [d.port(n)['mtu'] for n in 'abt'] == [1400, 1500, 1400]
        config = json.loads(json.dumps(d.config))
        config['switch']['mtu'] = 1300
        d.write(config)
        d.signal(signal.SIGHUP)
        d.wait_log(r'port t: mtu is 1300 now')
        assert d.ctl('status')['mtu'] == 1300
        assert [d.port(n)['mtu'] for n in 'abt'] == [1300, 1500, 1300]
        assert lives(net) == before
        longest = net.frame('b', 'a', size=1314)
        net['b'].send_many([net.frame('b', 'a', size=1315), longest])
        assert net['a'].recv(1) == [longest]
        # one port that can't: none has it
        config['switch']['mtu'] = 65535
        d.write(config)
        d.signal(signal.SIGHUP)
        d.wait_log(r'nothing was changed: .*port t: mtu: .*65535')
        assert [d.port(n)['mtu'] for n in 'abt'] == [1300, 1500, 1300]
        assert d.ctl('status')['mtu'] == 1300
        assert lives(net) == before
        net.learn()


def test_reload():
    """SIGHUP loads the file again; a wrong file is logged and leaves what runs."""
    with Daemon({'ports': [GOOD]}) as d:
        config = json.loads(json.dumps(d.config))
        config['ports'].append({'name': 'new', 'type': 'vhost-user', 'socket': d.path('new.sock')})
        d.write(config)
        d.signal(signal.SIGHUP)
        wait_until('the new port', lambda: names_of(d) == ['good', 'new'])
        d.write('switch:\n  workers: [1\n')
        d.signal(signal.SIGHUP)
        d.wait_log(r'vswitch\.yaml:\d+: not valid YAML')
        assert names_of(d) == ['good', 'new']
        os.unlink(d.config_file)
        d.signal(signal.SIGHUP)
        d.wait_log(r'vswitch\.yaml.*No such file')
        assert names_of(d) == ['good', 'new']
        d.write(config)


def test_reload_what_needs_a_restart():
    """What can't change at run time is refused as a whole, with the key."""
    with Daemon({'ports': [GOOD]}) as d:
        config = json.loads(json.dumps(d.config))
        config['switch']['fdb'] = {'max': 1000}
        config['ports'].append({'name': 'new', 'type': 'vhost-user', 'socket': d.path('new.sock')})
        d.write(config)
        d.signal(signal.SIGHUP)
        d.wait_log(r'restart')
        assert names_of(d) == ['good']
        assert not os.path.exists(d.path('new.sock'))


def test_reload_idle():
    """idle_max_us changes at run time."""
    with Daemon({'switch': {'idle_max_us': 100}}) as d:
        assert d.ctl('worker', 'list')['workers'][0]['idle_max_us'] == 100
        config = json.loads(json.dumps(d.config))
        config['switch']['idle_max_us'] = 200
        d.write(config)
        d.signal(signal.SIGHUP)
        wait_until('the new time',
                   lambda: d.ctl('worker', 'list')['workers'][0]['idle_max_us'] == 200)


def test_ports_of_machines_stay():
    """A port that was added for a machine, and goes with it, is not the file's business: its guest
    notices nothing. Others go. A port of the file takes what it names."""
    with Net({'a': 'server'}, switch={'mtu': 1400}) as net:
        d = net.daemon
        net.add_port('m', 'server', {'vm.name': 'vm9', 'vm.auto': 'true'})
        net.add_port('x', 'server')
        net.learn()
        before = lives(net)
        d.write({**d.config, 'switch': {**d.config['switch'], 'mtu': 1300}})
        d.signal(signal.SIGHUP)
        d.wait_log(r'port m: mtu is 1300 now')
        net.disconnect('x')
        del net.kinds['x'], before['x']
        assert names_of(d) == ['a', 'm']
        assert lives(net) == before
        net.learn()
        d.ctl('config', 'apply', d.config_file)
        assert lives(net) == before
        config = json.loads(json.dumps(d.config))
        config['ports'].append({'name': 'own', 'type': 'vhost-user', 'socket': d.path('m.sock')})
        d.write(config)
        d.signal(signal.SIGHUP)
        wait_until('it has the socket', lambda: names_of(d) == ['a', 'own'])
        net.disconnect('m')
        del net.kinds['m']
