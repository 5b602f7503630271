# SPDX-License-Identifier: BSD-3-Clause
"""VF ports on an emulated igb: VFs found, made, bound, set up through their PF, refused with a
sentence, and given back as they were."""

import json
import re

import pytest

from inguest import GuestDaemon
from sriov import SYS_PCI, pci_bind, pci_driver
from vfnet import vf_conf, vf_mac

HOST_MAC = '52:54:00:00:01:20'
SETTINGS = {'vlan': 100, 'max_rate': 500, 'trust': 'on', 'spoofcheck': 'off'}


@pytest.fixture(scope='module', name='switch')
def fixture_switch(igb_guest):
    """vswitchd without ports."""
    with GuestDaemon(igb_guest) as d:
        yield d


def override(guest, pci):
    """Its driver_override."""
    return guest.run(f'cat {SYS_PCI}/{pci}/driver_override').strip()


def interface(guest, pci):
    """The interface of a VF."""
    return guest.run(f'ls {SYS_PCI}/{pci}/net').strip()


def address(guest, pci):
    """The address of the interface of a VF."""
    return guest.run(f'cat {SYS_PCI}/{pci}/net/*/address').strip()


def settings(pf, vf):
    """What the PF says of a VF, but its address: if nobody has set one, the kernel's driver makes
    one up whenever it gets the VF."""
    return {key: value for key, value in pf.vf(vf).items() if key != 'address'}


def refusal(switch, conf):
    """The sentence with which a port is refused."""
    words = [f'{key}={value}' for key, value in conf.items() if key != 'name']
    return switch.ctl_fail('port', 'add', conf['name'], *words)


def test_made_and_removed(igb, switch):
    """VFs are made when there are none, for all ports of the PF; those that nobody uses go with the
    last of these."""
    pf = igb.pf()
    switch.add(vf_conf(igb, 'up0', num_vfs=2))
    pci = [pf.vf_pci(vf) for vf in (0, 1)]
    assert pf.n_vfs() == 2
    assert [pf.vf_driver(vf) for vf in (0, 1)] == ['vfio-pci', '']
    assert igb.run(f'cat {pf.sys}/sriov_drivers_autoprobe').strip() == '1'
    details = switch.port('up0')['details']
    assert (details['pci'], details['pf_pci'], details['vf']) == (pci[0], pf.pci, 0)
    assert 'in use by another port' in refusal(switch, {'name': 'x', 'type': 'vf', 'pci': pci[0]})
    switch.add({'name': 'up1', 'type': 'vf', 'pci': pci[1]})
    assert 'port up1: it and port up0 are VFs of one PF' in switch.log()
    switch.ctl('port', 'del', 'up0')
    assert (pf.n_vfs(), pf.vf_driver(0), pf.vf_driver(1)) == (2, '', 'vfio-pci')
    switch.ctl('port', 'del', 'up1')
    assert pf.n_vfs() == 0
    assert igb.run(f'cat {pf.sys}/sriov_drivers_autoprobe').strip() == '1'
    # and with the daemon
    switch.add(vf_conf(igb, 'up0', num_vfs=1))
    assert pf.n_vfs() == 1
    assert switch.stop() == 0
    assert pf.n_vfs() == 0
    switch.start()


def test_given_back(igb, switch):
    """A VF that is there is taken from its driver, and gets it and its settings back: when the port
    is deleted, and when the daemon ends."""
    pf = igb.pf()
    pf.make_vfs(2)
    pci = pf.vf_pci(0)
    igb.run(f'echo 0 >{SYS_PCI}/{pci}/numa_node')
    pf.set_vf(0, f'mac {HOST_MAC}')
    pci_bind(igb, pci, '')
    igb.run(f'echo >{SYS_PCI}/{pci}/driver_override; echo {pci} >/sys/bus/pci/drivers_probe')
    assert address(igb, pci) == HOST_MAC
    before = pf.vf(0), override(igb, pci)
    conf = {'name': 'up0', 'type': 'vf', 'pci': pci, 'mac': vf_mac(0), 'queues': 2, **SETTINGS}
    ends = (lambda: switch.ctl('port', 'del', 'up0'), switch.stop)
    for end in ends:
        switch.add(conf)
        assert pci_driver(igb, pci) == 'vfio-pci'
        found = pf.vf(0)
        assert found['address'] == vf_mac(0)
        assert (found['trust'], found['spoofchk']) == (True, False)
        assert (found['vlan_list'][0]['vlan'], found['rate']['max_tx']) == (100, 500)
        details = switch.port('up0')['details']
        assert {key: details[f'pf_{key}'] for key in SETTINGS} == SETTINGS
        assert {key: details[f'asked_{key}'] for key in SETTINGS} == SETTINGS
        assert details['pf_mac'] == details['asked_mac'] == details['mac'] == vf_mac(0)
        assert (details['pf'], details['node'], details['rx_queues']) == (pf.ifname, 0, 2)
        assert 'device spreads' in details['rss']
        end()
        assert (pf.vf(0), override(igb, pci)) == before
        assert pci_driver(igb, pci) == 'igbvf'
        assert address(igb, pci) == HOST_MAC
    assert pf.n_vfs() == 2
    switch.start()


def rename(pf, ifname):
    """Gives the PF's interface another name."""
    pf.guest.run(f'ip link set dev {pf.ifname} down; ip link set dev {pf.ifname} name {ifname}; '
                 f'ip link set dev {ifname} up')
    pf.ifname = ifname


def test_renamed(igb, switch):
    """A PF that is renamed meanwhile is told all the same."""
    pf = igb.pf()
    name = pf.ifname
    pf.make_vfs(1, probe=False)
    before = settings(pf, 0)
    switch.add(vf_conf(igb, 'up0'))
    assert settings(pf, 0) != before
    rename(pf, 'renamed')
    try:
        switch.wait_log(f'port up0: the PF {name} is called renamed now')
        assert switch.port('up0')['details']['pf'] == 'renamed'
        switch.ctl('port', 'del', 'up0')
        assert settings(pf, 0) == before
    finally:
        rename(pf, name)


def test_vfio_is_loaded_later(igb, switch):
    """Who is told to load vfio-pci need not start vswitchd again."""
    pf = igb.pf()
    pf.make_vfs(1, probe=False)
    switch.stop()
    loaded = igb.run('grep vfio /lib/modules/order').split()
    igb.run('rmmod ' + ' '.join(name[:-3] for name in reversed(loaded)))
    try:
        switch.start()
        assert 'run `modprobe vfio-pci`' in refusal(switch, vf_conf(igb, 'up0'))
    finally:
        igb.run('; '.join(f'insmod /lib/modules/{name}' for name in loaded))
    switch.add(vf_conf(igb, 'up0'))
    switch.wait_link('up0')
    switch.ctl('port', 'del', 'up0')


def test_uio(igb, switch):
    """uio waits for nobody: that its device is gone is seen all the same, and that it is back."""
    pf = igb.pf()
    pf.make_vfs(1, probe=False)
    pci = pf.vf_pci(0)
    pci_bind(igb, pci, 'uio_pci_generic')
    switch.stop()
    conf = {'name': 'up0', 'type': 'ethdev', 'devargs': pci}
    with GuestDaemon(igb, {'ports': [conf]}, '/run/vs-uio', eal=['--iova-mode=pa']) as d:
        d.wait_link('up0')
        pf.make_vfs(0)
        d.wait_link('up0', up=False)
        assert f'the device {pci} was taken away' in d.port('up0')['reason']
        pf.make_vfs(1, probe=False)
        pci_bind(igb, pci, 'uio_pci_generic')
        d.wait_link('up0', timeout=60)
        assert d.port('up0')['details']['returns'] == 1
    switch.start()


def test_none_there(igb, switch):
    """What is not there is named, with what to do."""
    pf = igb.pf()
    for more, sentence in (
            ({'pf': 'eth9'}, 'pf: there is no interface eth9'),
            ({'pf': 'lo'}, 'pf: the interface lo is on no PCI device'),
            ({'pf': '0000:09:00.0'}, 'pf: there is no PCI device 0000:09:00.0'),
            ({}, r'vf: eth\d \(.*\) has no VFs: set num_vfs, or make them with'),
            ({'num_vfs': 9}, r'num_vfs: eth\d \(.*\) can have 7 VFs at most, not 9'),
            ({'vf': 2, 'num_vfs': 2}, 'vf: with num_vfs 2, 2 is not in 0..1')):
        assert re.search(sentence, refusal(switch, vf_conf(igb, 'x') | more))
    for pci, sentence in (('0000:09:10.0', 'pci: there is no PCI device 0000:09:10.0'),
                          (pf.pci, f'pci: {pf.pci} is no VF but a NIC of the host')):
        assert sentence in refusal(switch, {'name': 'x', 'type': 'vf', 'pci': pci})
    assert pf.n_vfs() == 0


def test_not_to_be_had(igb, switch):
    """A VF that others use, or that can't be as asked for, is refused, and is as it was."""
    pf = igb.pf()
    pf.make_vfs(2)
    pci = pf.vf_pci(0)
    before = settings(pf, 0)
    for more, sentence in (
            ({'num_vfs': 4}, 'has 2 VFs already (0 to 1) where 4 are wanted'),
            ({'vf': 5}, 'has 2 VFs already (0 to 1) where 6 are wanted'),
            ({'queues': 3}, 'queues: 3 are more than the driver net_e1000_igb_vf has: 2'),
            ({'link_state': 'enable'}, 'link_state: the driver of eth'),
            ({'filter': 'mac-list'}, 'filter: mac-list: the driver net_e1000_igb_vf takes no')):
        assert sentence in refusal(switch, vf_conf(igb, 'x') | more)
        assert (settings(pf, 0), pci_driver(igb, pci)) == (before, 'igbvf')
    assert pf.n_vfs() == 2
    ifname = interface(igb, pci)
    igb.run(f'ip link set dev {ifname} up')
    assert f'the interface {ifname} of the VF {pci} is up' in refusal(switch, vf_conf(igb, 'x'))
    igb.run(f'ip link set dev {ifname} down')
    igb.run('rmmod vfio-pci')
    try:
        assert 'the module vfio-pci is not loaded' in refusal(switch, vf_conf(igb, 'x'))
    finally:
        igb.run('insmod /lib/modules/vfio-pci.ko')
    pci_bind(igb, pci, 'vfio-pci')
    path = igb.run(f'echo /dev/vfio/$(basename $(readlink {SYS_PCI}/{pci}/iommu_group))').strip()
    pid = igb.run(f'(exec sleep 1000 3<>{path}) >/dev/null 2>&1 & echo $!').strip()
    igb.run(f'until readlink /proc/{pid}/fd/3; do usleep 10000; done')
    assert f'has {pci} open by {path}' in refusal(switch, vf_conf(igb, 'x'))
    igb.run(f'kill {pid}; while [ -e /proc/{pid} ]; do usleep 10000; done')
    switch.add(vf_conf(igb, 'up0'))
    switch.ctl('port', 'del', 'up0')
    # so it was given to us, so it stays
    assert pci_driver(igb, pci) == 'vfio-pci'
    assert 'Invalid port_id' not in switch.log()


def test_config_check(igb, switch):
    """A file is right that could be right on some machine; nothing is touched."""
    def check(**more):
        config = {'ports': [vf_conf(igb, 'up0', **more)]}
        return switch.ctl_run('config', 'check', '-', stdin=json.dumps(config))
    assert check(num_vfs=2).returncode == 0
    assert igb.pf().n_vfs() == 0
    done = check(vf=2, num_vfs=2)
    assert (done.returncode, 'vf: with num_vfs 2' in done.stderr) == (1, True)
    done = check(pci='0000:01:10')
    assert (done.returncode, 'pci' in done.stderr) == (1, True)
