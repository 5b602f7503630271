# SPDX-License-Identifier: BSD-3-Clause
"""A guest boots from the network through its port: firmware, then iPXE, drive the NIC by one pair
of queues, each from its reset on; then the kernel has several. It reboots so again and again, while
frames come to it all the time."""

import pytest
from guest import transfer
from guestnet import HOST, GuestNet
from load import Flood
from marks import choose
from netboot import Server, boot_words

QUEUES = 2
REBOOTS = {'bios': 1, 'uefi': 5}
# Frames a second that come meanwhile. UEFI's network stack takes one every 10 ms while it waits for
# an answer: of many more, the answer is rarely among those that find room in its ring.
RATES = {'bios': 4000, 'uefi': 200}
BOOT_S = 240  # takes 15 s with BIOS, 40 s with UEFI, on a machine that has nothing else to do


@pytest.mark.parametrize('firmware', choose(REBOOTS, 'bios'))
def test_network_boot(image, firmware):
    """Firmware and loader fetch what they need, the kernel uses all queues; then it reboots."""
    uefi, rounds = firmware == 'uefi', REBOOTS[firmware]
    nic = 'bootindex=1' + (',romfile=' if uefi else '')
    with GuestNet(image, {'vm1': {'queues': QUEUES}}, {'vm1': {'options': nic}},
                  {'vm1': {'cpus': QUEUES, 'memory': 512}}, boot=False) as net:
        net.options['vm1']['boot'] = boot_words(net.daemon.dir, uefi)
        vm1 = net.guests['vm1'] = net.make_guest('vm1')
        with Server(net.daemon.dir, image, 'vs-inband', HOST, vm1.append, uefi) as server, \
                Flood(vm1.ip, '52:54:00:77:00:01', 'vs-inband', RATES[firmware]):
            vm1.start()
            for n in range(1, 2 + rounds):
                vm1.wait_ready(BOOT_S)
                assert server.served('kernel') == server.served('initramfs') == n, server.log()
                # the firmware asks once for the size, too
                assert (server.served('ipxe.efi') >= n) == uefi, server.log()
                assert vm1.run('ls /sys/class/net/eth0/queues').count('tx-') == QUEUES
                net.daemon.wait_link('vm1')
                assert net.daemon.port('vm1')['details']['queue_pairs_on'] == QUEUES
                assert vm1.ping(HOST) == 3
                assert transfer(net.host, vm1, 1).intact()
                if n <= rounds:
                    vm1.reboot()
