# SPDX-License-Identifier: BSD-3-Clause
"""One guest after the other, each with other virtio features, talks with the host through the
switch; what was negotiated is what the guest's driver says."""

import time

import pytest
from guest import transfer
from guestnet import GuestNet
from marks import choose

# virtio 1.2 §5.1.3 and §6
MRG_RXBUF, MQ, INDIRECT, EVENT_IDX, VERSION_1, PACKED = 15, 22, 28, 29, 32, 34
ACCESS_PLATFORM = 33
OFFLOADS = {0, 1, 7, 8, 9, 11, 12, 13}  # CSUM, TSO4, TSO6, ECN, both ways
NO_TSO = 'guest_tso4=off,guest_tso6=off'

# a guest that maps each buffer by itself, so that none is known when the switch first comes to it
VIOMMU = ({'datapath': 'library', 'viommu': True}, 'iommu_platform=on,ats=on,disable-legacy=on',
          {'append': 'intel_iommu=on',
           'devices': ('-device', 'intel-iommu,intremap=off,caching-mode=on,device-iotlb=on')})

# name: keys of the port, properties of the NIC, arguments of the guest, features that must be on,
# and off
VARIANTS = {
    'default': ({}, '', {}, {MRG_RXBUF, INDIRECT, EVENT_IDX, VERSION_1, *OFFLOADS}, {PACKED, MQ}),
    'csum=off': ({}, 'csum=off', {}, {VERSION_1}, {0}),
    'guest_csum=off': ({}, f'guest_csum=off,{NO_TSO},guest_ecn=off,guest_ufo=off', {},
                       {VERSION_1, 0, 11}, {1, 7, 8}),
    'mrg_rxbuf,guest_tso=off': ({}, f'mrg_rxbuf=off,{NO_TSO}', {}, {VERSION_1, 1},
                                {MRG_RXBUF, 7, 8}),
    'mrg_rxbuf=off': ({}, 'mrg_rxbuf=off', {}, {VERSION_1}, {MRG_RXBUF}),
    'indirect,event_idx=off': ({}, 'indirect_desc=off,event_idx=off', {}, {VERSION_1},
                               {INDIRECT, EVENT_IDX}),
    'legacy': ({}, 'disable-modern=on,disable-legacy=off', {}, set(), {VERSION_1}),
    'legacy,mrg_rxbuf=off': ({}, 'disable-modern=on,disable-legacy=off,mrg_rxbuf=off', {}, set(),
                             {VERSION_1, MRG_RXBUF}),
    'rings of 1024': ({}, 'rx_queue_size=1024,tx_queue_size=1024', {}, {VERSION_1}, set()),
    'queues=2': ({'queues': 2}, '', {'cpus': 2}, {MQ, VERSION_1}, set()),
    'packed': ({}, 'packed=on', {}, {MRG_RXBUF, INDIRECT, EVENT_IDX, VERSION_1, PACKED}, {MQ}),
    'packed,mrg_rxbuf=off': ({}, 'packed=on,mrg_rxbuf=off', {}, {PACKED}, {MRG_RXBUF}),
    'packed,indirect,event_idx=off': ({}, 'packed=on,indirect_desc=off,event_idx=off', {}, {PACKED},
                                      {INDIRECT, EVENT_IDX}),
    'packed,rings of 1024': ({}, 'packed=on,rx_queue_size=1024,tx_queue_size=1024', {}, {PACKED},
                             set()),
    'packed,queues=2': ({'queues': 2}, 'packed=on', {'cpus': 2}, {MQ, PACKED}, set()),
    'library': ({'datapath': 'library'}, '', {}, {MRG_RXBUF, VERSION_1, *OFFLOADS}, {PACKED}),
    'vIOMMU': (*VIOMMU, {ACCESS_PLATFORM, VERSION_1, *OFFLOADS}, {PACKED}),
    'vIOMMU, passthrough': (*VIOMMU[:2], {**VIOMMU[2], 'append': 'intel_iommu=on iommu=pt'},
                            {ACCESS_PLATFORM}, {PACKED}),
    'vIOMMU, queues=2': ({**VIOMMU[0], 'queues': 2}, VIOMMU[1], {**VIOMMU[2], 'cpus': 2},
                         {ACCESS_PLATFORM, MQ}, {PACKED}),
    'vIOMMU, packed': (VIOMMU[0], f'{VIOMMU[1]},packed=on', VIOMMU[2], {ACCESS_PLATFORM},
                       {PACKED}),
    'packed on library': ({'datapath': 'library'}, 'packed=on', {}, {PACKED, VERSION_1}, set()),
}
DEFAULT = ('default', 'guest_csum=off', 'mrg_rxbuf,guest_tso=off', 'legacy,mrg_rxbuf=off',
           'packed,indirect,event_idx=off', 'packed,queues=2', 'packed on library', 'vIOMMU')


@pytest.mark.parametrize('name', choose(VARIANTS, *DEFAULT))
def test_variant(image, name):
    """Ping and a file in both directions; the features are as this variant has them."""
    port, options, guest, must_have, must_lack = VARIANTS[name]
    with GuestNet(image, {'vm1': port}, {'vm1': {'options': options}}, {'vm1': guest}) as net:
        vm1 = net['vm1']
        features = vm1.features()
        assert must_have <= features
        assert not must_lack & features
        net.check_pings(2)
        net.check_pings(2, 1472)
        for sender, receiver in ((vm1, net.host), (net.host, vm1)):
            assert transfer(sender, receiver, 4).intact()
        if port.get('queues', 1) > 1:
            check_queues(net)


def check_queues(net):
    """Traffic goes out of the guest by all of its queues, and arrives."""
    vm1 = net['vm1']
    queues = net.ports['vm1']['queues']
    assert vm1.run('ls -d /sys/class/net/eth0/queues/tx-* | wc -l').strip() == str(queues)
    before = interrupts(vm1, queues)
    for cpu in range(queues):  # the driver takes the queue of the CPU that sends
        assert vm1.run(f'taskset {1 << cpu:x} ping -q -c 5 -i 0.1 {net.host.ip}')
    after = interrupts(vm1, queues)
    assert all(after[n] > before[n] for n in range(queues)), f'{before} {after}'


def interrupts(guest, queues):
    """How often the interrupt of each queue pair came, in either direction."""
    counts = [0] * queues
    for line in guest.run('cat /proc/interrupts').splitlines():
        words = line.split()
        for queue in range(queues):
            if words[-1].endswith((f'-input.{queue}', f'-output.{queue}')):
                counts[queue] += sum(int(word) for word in words[1:] if word.isdigit())
    return counts


def test_memory_not_shared(image):
    """A guest whose memory is private: its port is down and says why; others don't notice."""
    options = {'vm1': {'share': False}}
    with GuestNet(image, {'vm1': {}, 'vm2': {}}, guests=options, boot=False) as net:
        net.boot('vm2')
        net['vm1'].start()
        net['vm1'].wait_ready()
        end = time.monotonic() + 10
        while 'share' not in (port := net.daemon.port('vm1'))['reason']:
            assert time.monotonic() < end, f'no reason that speaks of share=on: {port}'
            time.sleep(0.1)
        assert port['link'] == 'down'
        assert net['vm2'].ping(net.host.ip) == 3
