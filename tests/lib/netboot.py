# SPDX-License-Identifier: BSD-3-Clause
"""netboot.py: what a guest needs that boots from the network: DHCP and TFTP by dnsmasq, on an
interface of this network namespace, HTTP, and the files that firmware asks for.

    with Server(workdir, image, 'vs-inband', '10.77.0.254', uefi=True) as server:
        ...
        server.served('kernel')     # how often somebody fetched it

With BIOS, iPXE out of the NIC's ROM fetches a script by TFTP, and then kernel and initramfs as it
says, by HTTP. With UEFI, the firmware's own network stack fetches iPXE as a program, which goes on
likewise.
"""

import functools
import http.server
import os
import shutil
import subprocess
import threading

from daemon import build_dir, die_with_parent, wait_until

OVMF = '/usr/share/OVMF/OVMF_{}_4M.fd'
LEASE = '10.77.0.1'


def boot_words(workdir, uefi):
    """QEMU's words for the firmware, with workdir for its variables; give the NIC bootindex=1."""
    if not uefi:
        return []
    variables = os.path.join(workdir, 'uefi-vars.fd')
    shutil.copy(OVMF.format('VARS'), variables)
    return ['-drive', f'if=pflash,format=raw,readonly=on,file={OVMF.format("CODE")}',
            '-drive', f'if=pflash,format=raw,file={variables}']


class Handler(http.server.SimpleHTTPRequestHandler):
    """Says in the server's list what it has sent."""

    def copyfile(self, source, outputfile):
        super().copyfile(source, outputfile)
        self.server.sent.append(self.path.lstrip('/'))

    def log_message(self, format, *args):  # noqa: A002
        """Nothing on the screen."""


class Server:
    """dnsmasq with the files; a context. append: of the kernel."""

    def __init__(self, workdir, image, ifname, address, append, uefi=False):
        self.dir = os.path.join(workdir, 'tftp')
        self.log_file = os.path.join(workdir, 'dnsmasq.log')
        self.ifname, self.address = ifname, address
        self.process = None
        self.http = http.server.ThreadingHTTPServer(
            (address, 0), functools.partial(Handler, directory=os.path.join(workdir, 'tftp')))
        self.http.sent = []
        os.makedirs(self.dir)
        shutil.copy(os.path.join(image, 'bzImage'), os.path.join(self.dir, 'kernel'))
        shutil.copy(os.path.join(image, 'initramfs'), self.dir)
        with open(os.path.join(self.dir, 'script'), 'w', encoding='ascii') as file:
            url = f'http://{address}:{self.http.server_port}'
            file.write(f'#!ipxe\nkernel {url}/kernel initrd=initramfs {append}\n'
                       f'initrd {url}/initramfs\nboot\n')
        self.loader = 'script'
        if uefi:
            self.loader = 'ipxe.efi'
            shutil.copy(os.path.join(build_dir(), 'guest-netboot', 'root', 'usr', 'lib', 'ipxe',
                                     'snponly.efi'), os.path.join(self.dir, self.loader))

    def __enter__(self):
        words = ['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=',
                 f'--interface={self.ifname}', '--bind-interfaces', '--no-ping', '--leasefile-ro',
                 f'--dhcp-range={LEASE},{LEASE},1h', '--enable-tftp', f'--tftp-root={self.dir}',
                 '--dhcp-userclass=set:ipxe,iPXE', '--dhcp-boot=tag:ipxe,script',
                 f'--dhcp-boot=tag:!ipxe,{self.loader}', f'--log-facility={self.log_file}',
                 '--log-dhcp']
        self.process = subprocess.Popen(words, preexec_fn=die_with_parent)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        wait_until('dnsmasq has started', lambda: 'started' in self.log())
        return self

    def __exit__(self, *what):
        self.process.terminate()
        self.process.wait()
        self.http.shutdown()
        self.http.server_close()

    def log(self):
        """What it did so far."""
        try:
            with open(self.log_file, encoding='utf-8', errors='replace') as file:
                return file.read()
        except FileNotFoundError:
            assert self.process.poll() is None, f'dnsmasq ended with {self.process.returncode}'
            return ''

    def served(self, name):
        """How often somebody fetched this file."""
        return (self.log().count(f'sent {os.path.join(self.dir, name)} to ') +
                self.http.sent.count(name))
