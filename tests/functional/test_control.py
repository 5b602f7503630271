# SPDX-License-Identifier: BSD-3-Clause
"""test_control.py: the control socket and vswitchctl: ports at run time while others' traffic
flows, requests that are none, many clients, and an end that leaves nothing."""

import json
import os
import re
import signal
import socket
import threading
import time

import pytest

from daemon import Daemon, wait_until
from net import Net, port_conf
from tap import exists


class Client:
    """A raw connection to the control socket."""

    def __init__(self, daemon, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(daemon.socket)
        self.buf = b''

    def line(self):
        """The next line, or b'' at the end."""
        while b'\n' not in self.buf:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b''
            if not data:
                return b''
            self.buf += data
        line, _, self.buf = self.buf.partition(b'\n')
        return line

    def ask(self, data):
        """Sends bytes, returns the answer as an object, None at the end of the connection."""
        self.sock.sendall(data)
        line = self.line()
        return json.loads(line) if line else None

    def call(self, method, params=None, number=1):
        """A right request."""
        request = {'jsonrpc': '2.0', 'id': number, 'method': method}
        if params is not None:
            request['params'] = params
        return self.ask(json.dumps(request).encode() + b'\n')

    def close(self):
        """Hangs up."""
        self.sock.close()


@pytest.fixture(scope='module', name='daemon')
def fixture_daemon():
    """A daemon with a port and no guest."""
    with Daemon({'ports': [{'name': 'vm1', 'type': 'vhost-user', 'socket': 'vm1.sock'}]}) as d:
        yield d


def test_methods(daemon):
    """Each method that there is answers as the manual says."""
    status = daemon.ctl('status')
    assert status['pid'] == daemon.pid
    assert status['ports'] == 1 and status['ports_up'] == 0
    assert status['hugepages'] is False and status['memory'] == 128 << 20
    assert status['config'] == daemon.config_file
    assert status['uptime_s'] >= 0 and status['dpdk'].startswith('DPDK')
    assert status['cpu_level'] in ('baseline', 'avx2')
    version = daemon.ctl('version')
    assert version['version'] == status['version']
    port = daemon.ctl('port', 'list')['ports'][0]
    for key in ('name', 'type', 'id', 'link', 'reason', 'mtu', 'offloads', 'queues', 'workers',
                'rx_frames', 'rx_bytes', 'tx_frames', 'tx_bytes', 'rx_drops', 'tx_drops'):
        assert key in port, key
    assert (port['name'], port['type'], port['link']) == ('vm1', 'vhost-user', 'down')
    assert port['reason']
    shown = daemon.port('vm1')
    assert shown['drops'] == {} and shown['stations'] == 0 and 'details' in shown
    stats = daemon.ctl('stats')
    assert stats['ports'][0]['name'] == 'vm1'
    assert 'rx-runt' in stats['reasons'] and all(stats['reasons'].values())
    assert daemon.ctl('stats', 'vm1')['ports'][0]['rx_frames'] == 0
    worker = daemon.ctl('worker', 'list')['workers'][0]
    assert worker['idle'] == 'sleep' and worker['idle_max_us'] == 250
    assert worker['queues'] == [{'port': 'vm1', 'queue': 0}]
    assert worker['node'] >= 0 and 0 < worker['mbufs_free'] <= worker['mbufs']
    assert daemon.ctl('fdb', 'list')['entries'] == []


def test_tables_for_people(daemon):
    """Without --json there are tables with heads, or sentences."""
    assert re.search(r'(?mi)^name\s+.*\n.*vm1\s', daemon.ctl_text('port', 'list'))
    for words in (['status'], ['port', 'show', 'vm1'], ['fdb', 'list'], ['stats'],
                  ['stats', 'vm1'], ['worker', 'list'], ['version'], ['config', 'show']):
        text = daemon.ctl_text(*words)
        assert text.strip(), words
        assert not text.lstrip().startswith('{'), words


@pytest.mark.parametrize('words,pattern', [
    (['port', 'show', 'nosuch'], 'nosuch'),
    (['port', 'del', 'nosuch'], 'nosuch'),
    (['port', 'restart', 'nosuch'], 'nosuch'),
    (['port', 'restart', 'vm1'], 'vm1: a vhost-user port has no device to restart'),
    (['port', 'add', 'up0', 'type=vf', 'pf=nosuch0'], 'up0: vf is missing'),
    (['port', 'add', 'up0', 'type=vf', 'pf=nosuch0', 'vf=0', 'vlans=7,4095'],
     'up0: vlans: "4095"'),
    (['port', 'add', 'up0', 'type=vf', 'pf=nosuch0', 'vf=0'], 'up0: .*nosuch0'),
    (['port', 'add', 'up0', 'type=ethdev', 'devargs=nosuch0'], 'up0: .*nosuch0'),
    (['stats', 'nosuch'], 'nosuch'),
    (['port', 'add', 'vm1', 'type=vhost-user', 'socket=/tmp/vst-x.sock'], 'vm1'),
    (['port', 'add', 'vm2', 'type=vhost-user'], 'vm2: socket'),
    (['port', 'add', 'vm2', 'type=vhost-user', 'socket=/tmp/vst-x.sock', 'mtu=1'], 'vm2: mtu'),
    (['port', 'add', 'vm2', 'type=vhost-user', 'socket=/tmp/' + 'x' * 107],
     'vm2: socket: path is 112 bytes'),
    (['port', 'add', 'vm2', 'type=vhost-user', 'socket=/tmp/vst-x.sock', 'colour=red'], 'colour'),
    (['port', 'add', 'vm2', 'type=vhost-user', 'socket=/tmp/vst-x.sock', 'lcores=99'], '99'),
    (['port', 'add', 'vm2', 'type=vhost-user', 'socket=/tmp/vst-x.sock', 'offloads.checksum=false',
      'offloads.uso=true'], 'vm2: offloads: uso: needs checksum'),
    (['port', 'set', 'nosuch', 'mtu=1400'], 'port nosuch: there is no such port'),
    (['port', 'set', 'vm1', 'mtu=90000'], r'port vm1: mtu: 90000 is not in 68\.\.65535'),
    (['port', 'set', 'vm1', 'offloads.tso=maybe'], 'port vm1: offloads: tso: "maybe" is neither'),
    (['port', 'set', 'vm1', 'offloads.lro=true'], 'offloads: lro: there is no such key'),
    (['port', 'set', 'vm1', 'offloads=off'], 'offloads: keys with values are expected'),
    (['port', 'set', 'vm1', 'colour=red'], 'colour: there is no such key'),
    (['port', 'set', 'vm1', 'ifname=x'], 'vm1: ifname: only a port of type tap has one'),
    (['port', 'set', 'vm1', 'socket=/dev/null/no/x.sock'], 'port vm1: socket: .*/null/no'),
    (['port', 'set', 'vm1', 'lcores=99'], '99'),
    (['config', 'apply', '/nosuch/file'], '/nosuch/file'),
])
def test_refused(daemon, words, pattern):
    """What can't be done is refused with one sentence, and nothing has changed."""
    before = daemon.ctl_text('config', 'show')
    said = daemon.ctl_fail(*words)
    assert re.search(pattern, said), said
    assert len(said.splitlines()) == 1
    assert [p['name'] for p in daemon.ctl('port', 'list')['ports']] == ['vm1']
    assert os.path.exists(daemon.path('vm1.sock'))
    assert daemon.ctl_text('config', 'show') == before
    assert not os.path.exists('/tmp/vst-x.sock')


ERRORS = [
    (b'hello\n', -32700),
    (b'{"jsonrpc": "2.0", "id": 1, "method": \n', -32700),
    (b'\xff\xfe\x00\n', -32700),
    (b'[]\n', -32600),
    (b'1\n', -32600),
    (b'{}\n', -32600),
    (b'{"jsonrpc": "1.0", "id": 1, "method": "status"}\n', -32600),
    (b'{"jsonrpc": "2.0", "id": 1}\n', -32600),
    (b'{"jsonrpc": "2.0", "id": 1, "method": 5}\n', -32600),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "nosuch"}\n', -32601),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "port.show"}\n', -32602),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "port.show", "params": {"name": 5}}\n', -32602),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "port.show", "params": 7}\n', -32600),
]


@pytest.mark.parametrize('data,code', ERRORS, ids=range(len(ERRORS)))
def test_rpc_errors(daemon, data, code):
    """JSON-RPC 2.0 §5.1: the right number for each kind of wrong, and the connection goes on."""
    client = Client(daemon)
    answer = client.ask(data)
    assert answer is not None, 'hung up'
    if code == -32600 and answer['error']['code'] == -32602:
        code = -32602  # params of a wrong kind may be called either
    assert answer['error']['code'] == code, answer
    assert answer['error']['message'] and answer['jsonrpc'] == '2.0'
    good = client.call('version', number='seven')
    assert good['id'] == 'seven' and 'result' in good
    client.close()


def test_rpc_pieces(daemon):
    """Requests in pieces, several in one, and without waiting for answers."""
    client = Client(daemon)
    text = b'{"jsonrpc": "2.0", "id": 1, "method": "version"}\n'
    for i in range(len(text)):
        client.sock.sendall(text[i:i + 1])
    assert json.loads(client.line())['id'] == 1
    many = b''.join(b'{"jsonrpc":"2.0","id":%d,"method":"port.list"}\n' % n for n in range(200))
    client.sock.sendall(many)
    assert [json.loads(client.line())['id'] for _ in range(200)] == list(range(200))
    client.close()


def test_rpc_notification(daemon):
    """A request without id gets no answer."""
    client = Client(daemon)
    client.sock.sendall(b'{"jsonrpc":"2.0","method":"version"}\n')
    assert client.call('version', number=2)['id'] == 2
    client.close()


def test_garbage(daemon):
    """Endless lines, zeroes, deep nesting, hanging up in between end that connection at most."""
    for data in (b'x' * (8 << 20), b'\0' * 100000 + b'\n', b'[' * 200000 + b'\n',
                 b'{"a":' * 5000 + b'\n', os.urandom(1 << 20)):
        client = Client(daemon)
        try:
            client.sock.sendall(data)
            client.sock.shutdown(socket.SHUT_WR)
            while client.line():
                pass
        except OSError:
            pass  # it may hang up while we talk
        client.close()
        assert daemon.ctl('version')
    client = Client(daemon)
    client.sock.sendall(b'{"jsonrpc":"2.0","id":1,"method":"port.list"}\n' * 1000)
    client.close()
    assert daemon.ctl('version')
    assert daemon.alive()


def test_reader_that_never_reads(daemon):
    """A client that does not take its answers does not hold the others up or fill the memory."""
    lazy = Client(daemon, timeout=1)
    request = b'{"jsonrpc":"2.0","id":1,"method":"config.show"}\n' * 100
    with pytest.raises(OSError):  # the daemon stops reading, or hangs up
        for _ in range(2000):
            lazy.sock.sendall(request)
    start = time.monotonic()
    daemon.ctl('version')
    assert time.monotonic() - start < 5
    lazy.close()


def test_100_clients(daemon):
    """A hundred clients at once all get their answers."""
    clients = [Client(daemon) for _ in range(100)]
    for n, client in enumerate(clients):
        client.sock.sendall(b'{"jsonrpc":"2.0","id":%d,"method":"port.list"}\n' % n)
    for n, client in enumerate(clients):
        answer = json.loads(client.line())
        assert answer['id'] == n and answer['result']['ports'][0]['name'] == 'vm1'
    for client in clients:
        client.close()
    assert daemon.ctl('version')


class Flow(threading.Thread):
    """Sends numbered frames from one station to another until told to end; none may be lost."""

    def __init__(self, net, src, dst):
        super().__init__()
        self.net, self.src, self.dst = net, src, dst
        self.over = threading.Event()
        self.sent = 0
        self.error = None

    def run(self):
        try:
            while not self.over.is_set():
                frames = [self.net.frame(self.src, self.dst, self.sent + n, 60 + n * 20)
                          for n in range(32)]
                got = [f for _, f in self.net.exchange(self.src, self.dst, frames)]
                self.net.check_frames(got, frames, f'{self.src} to {self.dst}')
                self.sent += len(frames)
        except Exception as e:  # pylint: disable=broad-except
            self.error = e

    def end(self):
        """Ends the flow and fails if it lost anything."""
        self.over.set()
        self.join()
        if self.error:
            raise self.error
        return self.sent


def test_ports_come_and_go_beside_traffic():
    """Adding and deleting ports of all kinds does not cost the others one frame."""
    with Net({'a': 'server', 'b': 'server', 't': 'tap'}) as net:
        net.learn()
        flows = [Flow(net, 'a', 'b')]
        for flow in flows:
            flow.start()
        try:
            for n in range(10):
                kind = ('server', 'library', 'tap', 'client')[n % 4]
                net.daemon.add(port_conf(f'x{n}', kind))
                assert net.daemon.port(f'x{n}')['name'] == f'x{n}'
                if kind == 'server':
                    guest = net.guests.add(f'x{n}', net.daemon.path(f'x{n}.sock'))
                    net.daemon.wait_link(f'x{n}')
                    net.guests.remove(guest)
                net.daemon.ctl('port', 'del', f'x{n}')
                assert not os.path.exists(net.daemon.path(f'x{n}.sock'))
                assert not exists(f'x{n}')
        finally:
            sent = [flow.end() for flow in flows]
        assert all(n > 0 for n in sent), sent
        counts = net.all_counts()
        assert not any(counts['a']['drops'].values()), counts['a']
        assert not any(counts['b']['drops'].values()), counts['b']


def test_port_set_beside_traffic():
    """port set changes MTU and offloads of ports whose traffic flows: no frame is lost, and nobody
    connects anew."""
    with Net({'a': 'server', 'b': 'client', 'c': 'library'}) as net:
        d = net.daemon
        net.learn()
        before = {n: (d.port(n)['id'], d.port(n)['details']['connections']) for n in 'abc'}
        flow = Flow(net, 'a', 'b')
        flow.start()
        try:
            for n in range(20):
                on = ('false', 'true')[n % 2]
                for name in 'abc':
                    d.ctl('port', 'set', name, f'mtu={1500 + n}', f'offloads.tso={on}')
                    shown = d.port(name)
                    assert shown['mtu'] == 1500 + n
                    assert shown['offloads'] == (['checksum', 'tso', 'uso'] if n % 2 else
                                                 ['checksum', 'uso'])
                d.ctl('port', 'set', 'b', f'offloads.checksum={on}')
                assert d.port('b')['details']['offloads_allowed'].startswith(
                    'checksum' if n % 2 else 'none')
                d.ctl('port', 'set', 'b', 'offloads.checksum=true')
        finally:
            sent = flow.end()
        assert sent > 0
        assert {n: (d.port(n)['id'], d.port(n)['details']['connections']) for n in 'abc'} == before
        text = d.ctl_text('config', 'show')
        assert text.count('mtu: 1519') == 3
        shown = d.ctl_text('port', 'show', 'a')
        assert re.search(r'(?m)^mtu +1519$', shown)
        assert re.search(r'(?m)^offloads +checksum,tso,uso$', shown)
        listed = d.ctl_text('port', 'list')
        assert re.search(r'MTU +OFFLOADS .*\n(?:.*\n)*a +vhost-user +up +1519 +checksum,tso,uso ',
                         listed), listed


def test_port_set_makes_anew():
    """A key that can't change while a port runs makes it anew, others stay; lists have commas."""
    with Net({'a': 'server', 'b': 'server', 't': 'tap'}) as net:
        d = net.daemon
        net.learn()
        d.ctl('port', 'set', 'a', 'max_macs=5', 'mtu=1400')
        net.disconnect('a')
        net.connect('a')
        d.wait_link('a', 'b', 't')
        net.learn()
        assert d.port('a')['mtu'] == 1400
        assert d.port('b')['details']['connections'] == 1
        assert 'max_macs: 5\n' in d.ctl_text('config', 'show')
        d.ctl('port', 'set', 't', 'address=10.9.9.1/24,10.9.8.1/24')
        assert 'address: ["10.9.9.1/24", "10.9.8.1/24"]' in d.ctl_text('config', 'show')
        # what can't be had is refused, and the port is what it was
        said = d.ctl_fail('port', 'set', 'b', 'socket=/dev/null/nowhere/b.sock', 'mtu=9000')
        assert re.search(r'port b: socket: .*nowhere', said), said
        assert d.port('b')['mtu'] == 1500
        assert os.path.exists(d.path('b.sock'))


def test_new_port_starts_at_zero():
    """A port with the id of a former one has its own counters and switches at once."""
    with Net({'a': 'server', 'b': 'server'}) as net:
        net.learn()
        net.exchange('a', 'b', [net.frame('a', 'b') for _ in range(50)])
        old = net.daemon.port('b')
        net.daemon.ctl('fdb', 'flush', 'b')  # or its id would not be free at once
        net.del_port('b')
        net.add_port('n', 'server')
        new = net.daemon.port('n')
        assert new['id'] == old['id'], 'ids are used again; else this tests nothing'
        assert new['rx_frames'] == 0 and new['tx_frames'] == 0 and new['drops'] == {}
        net.learn()
        frame = net.frame('a', 'n')
        net['a'].send(frame)
        assert net['n'].recv(1) == [frame]


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_end_leaves_nothing(number):
    """The end removes TAPs and sockets, in the middle of traffic, too."""
    with Net({'a': 'server', 'b': 'server', 'c': 'client', 't': 'tap'}) as net:
        net.learn()
        net['a'].send_many([net.frame('a', n) for n in ('b', 'c', 't') for _ in range(200)])
        assert exists('t')
        net.daemon.signal(number)
        assert net.daemon.wait_exit() == 0
        left = set(os.listdir(net.daemon.dir)) - {'vswitch.yaml', 'vswitchd.log'}
        assert left <= {'c.sock', 'state'}, left  # the guests' own, and what they have agreed on
        assert not exists('t')
        assert not os.path.exists('/var/run/dpdk/vswitchd')


def test_end_is_quick_with_many_ports():
    """Sixty ports start and end."""
    ports = [port_conf(f'p{n}', 'server') for n in range(60)]
    with Daemon({'ports': ports}) as d:
        assert d.ctl('status')['ports'] == 60
        start = time.monotonic()
        assert d.stop() == 0
        assert time.monotonic() - start < 20
        assert not [f for f in os.listdir(d.dir) if f.endswith('.sock')]


def test_log_says_what_happened():
    """Changes of state are in the log, one line each."""
    with Net({'a': 'server'}) as net:
        d = net.daemon
        d.wait_log(r'port a: added')
        net.disconnect('a')
        d.wait_link('a', up=False)
        d.ctl('port', 'del', 'a')
        del net.kinds['a']
        d.wait_log(r'port a: deleted')
        wait_until('link changes', lambda: len(re.findall(r'port a: link (up|down)', d.log())) >= 2
                   or len(re.findall(r'port a: (up|down)', d.log())) >= 2)
