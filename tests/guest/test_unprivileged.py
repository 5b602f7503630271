# SPDX-License-Identifier: BSD-3-Clause
"""QEMU as a user who is nobody on this machine, as libvirt-qemu is: it may use what the port's
configuration lets it use, before and after the switch was killed."""

import os
import shutil
import tempfile

import pytest
from guestnet import GuestNet

USER = 64055  # Debian's number of libvirt-qemu, whether there is one or not
BACK_S = 10  # generous: that it comes back is what counts
PORT = {'socket': 'sockets/vm1.sock', 'owner': str(USER), 'group': str(USER)}


@pytest.fixture(scope='module', name='readable')
def fixture_readable(image):
    """The image, where everybody can read it."""
    with tempfile.TemporaryDirectory(prefix='vsi-', dir='/tmp') as directory:
        os.chmod(directory, 0o755)
        for name in ('kernel', 'initramfs'):
            os.chmod(shutil.copy(os.path.join(image, name), directory), 0o644)
        yield directory


@pytest.mark.parametrize('mode', ['server', 'client'])
def test_qemu_is_not_root(readable, mode):
    """The directory is not there before the switch makes it; QEMU connects or listens in it."""
    with GuestNet(readable, {'vm1': dict(PORT, mode=mode)}, guests={'vm1': {'user': USER}},
                  boot=False) as net:
        os.chmod(net.daemon.dir, 0o755)
        net.boot('vm1')
        net.wait_pings(BACK_S)
        pid = net.daemon.port('vm1')['details']['peer_pid']
        assert os.stat(f'/proc/{pid}').st_uid == USER
        for _ in range(2):
            net.daemon.kill9()
            net.daemon.start()
            took = net.wait_pings(BACK_S)
            print(f'mode {mode}: pings are answered {took:.2f} s after the new switch is ready')
        assert net.daemon.port('vm1')['details']['peer_pid'] == pid
        net.check_pings()
