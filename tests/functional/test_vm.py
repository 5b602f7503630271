# SPDX-License-Identifier: BSD-3-Clause
"""test_vm.py: what is known of the virtual machine behind a port: set and shown while it runs."""

from frames import BROADCAST, build
from net import Net

STRANGER = '02:bb:00:00:00:01'


def test_shown_while_it_runs():
    """The keys of vm come and go without the guest noticing; a strange MAC is warned of."""
    with Net({'a': 'server', 'b': 'server'}) as net:
        attaches = net.daemon.port('a')['details']['attaches']
        net.learn()
        port = net.daemon.port('a')
        assert 'vm' not in port and 'warning' not in port
        net.daemon.ctl('port', 'set', 'a', 'vm.name=web server', 'vm.nic=net0',
                       f'vm.mac={net.macs["a"]}', 'vm.memory=shared')
        port = net.daemon.port('a')
        assert (port['vm'], port['vm_nic'], port['vm_mac'], port['vm_memory'], port['vm_auto']) == (
            'web server', 'net0', net.macs['a'], 'shared', False)
        assert port['macs_seen'] == [net.macs['a']] and port['warning'] == ''
        listed = {p['name']: p for p in net.daemon.ctl('port', 'list')['ports']}
        assert listed['a']['vm'] == 'web server' and 'vm' not in listed['b']
        assert listed['b']['socket'].endswith('/b.sock') and listed['b']['mode'] == 'server'
        assert ' web server:net0' in net.daemon.ctl_text('port', 'list')

        net['a'].send(build(BROADCAST, STRANGER, next(net.numbers)))
        net.after('a')
        warning = f'the guest sends from {STRANGER}, its own MAC is {net.macs["a"]}'
        port = net.daemon.port('a')
        assert sorted(port['macs_seen']) == sorted([net.macs['a'], STRANGER])
        assert port['warning'] == warning
        assert warning in net.daemon.ctl_text('port', 'list')

        net.daemon.ctl('port', 'set', 'a', 'vm.memory=private')
        assert 'memory of the machine is not shared' in net.daemon.port('a')['warning']
        net.daemon.ctl('port', 'set', 'a', 'vm.name=', 'vm.nic=', 'vm.mac=', 'vm.memory=unknown')
        port = net.daemon.port('a')
        assert 'vm' not in port and 'macs_seen' not in port
        assert port['details']['attaches'] == attaches and port['link'] == 'up'
        said = net.daemon.ctl_fail('port', 'set', 'a', 'vm.memory=big')
        assert 'memory: "big" is none of: unknown, shared, private' in said
