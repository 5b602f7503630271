# SPDX-License-Identifier: BSD-3-Clause
"""test_workers.py: workers, their CPUs, their queues, and how they idle."""

import os
import re
import threading
import time

import pytest

from daemon import Daemon, wait_until
from net import Net

CPUS = sorted(os.sched_getaffinity(0))
needs_two_cpus = pytest.mark.skipif(len(CPUS) < 2, reason='this machine has one CPU')


def workers_of(daemon):
    """cpu -> worker."""
    return {w['cpu']: w for w in daemon.ctl('worker', 'list')['workers']}


def cpu_seconds(pid):
    """User and system time of a process."""
    with open(f'/proc/{pid}/stat', encoding='ascii') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def affinities(pid):
    """The sets of CPUs that the threads of a process are bound to."""
    found = []
    for task in os.listdir(f'/proc/{pid}/task'):
        found.append(frozenset(os.sched_getaffinity(int(task))))
    return found


def test_default_worker():
    """Without `workers`, the isolated CPUs, else the last CPU."""
    with Daemon() as d:
        with open('/sys/devices/system/cpu/isolated', encoding='ascii') as f:
            isolated = f.read().strip()
        if isolated:
            assert str(list(workers_of(d))[0]) in re.split('[,-]', isolated)
        else:
            assert list(workers_of(d)) == [CPUS[-1]]
        assert frozenset([list(workers_of(d))[-1]]) in affinities(d.pid)


@needs_two_cpus
def test_threads_keep_off_workers():
    """What is no worker, DPDK's threads too, runs on other CPUs than the workers."""
    with Net({'a': 'server', 't': 'tap'}, switch={'workers': [CPUS[1]]}) as net:
        pid = net.daemon.pid
        for task in os.listdir(f'/proc/{pid}/task'):
            with open(f'/proc/{pid}/task/{task}/comm', encoding='ascii') as f:
                name = f.read().strip()
            cpus = os.sched_getaffinity(int(task))
            if name.startswith('worker-'):
                assert cpus == {CPUS[1]}, name
            else:
                assert CPUS[1] not in cpus, name


@needs_two_cpus
def test_worker_outside_of_own_cpus():
    """A worker may have a CPU that vswitchd is not started on: isolated ones are such."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CPUS[0]})
    try:
        with Daemon({'switch': {'workers': [CPUS[1]]}}) as d:
            assert list(workers_of(d)) == [CPUS[1]]
            assert frozenset([CPUS[1]]) in affinities(d.pid)
    finally:
        os.sched_setaffinity(0, before)


@needs_two_cpus
def test_two_workers():
    """Ports are spread over the workers, or sit where lcores says; frames cross over."""
    conf = {'a': {'lcores': [CPUS[0]]}, 'b': {'lcores': [CPUS[1]]},
            'm': {'queues': 2, 'lcores': CPUS[:2]}}
    with Net({'a': 'server', 'b': 'server', 'm': 'server', 'x': 'server', 'y': 'server',
              't': 'tap', 'l': 'library'}, switch={'workers': CPUS[:2]}, conf=conf,
             guest={'m': {'queues': 2}}) as net:
        net.learn()
        workers = workers_of(net.daemon)
        assert sorted(workers) == CPUS[:2]
        where = {(q['port'], q['queue']): cpu for cpu, w in workers.items() for q in w['queues']}
        assert where['a', 0] == CPUS[0] and where['b', 0] == CPUS[1]
        assert (where['m', 0], where['m', 1]) == (CPUS[0], CPUS[1])
        assert {where['x', 0], where['y', 0]} <= set(CPUS[:2])
        assert all(w['queues'] for w in workers.values())
        assert net.daemon.port('m')['workers'] == CPUS[:2]
        assert {frozenset([c]) for c in CPUS[:2]} <= set(affinities(net.daemon.pid))
        for src, dst in (('a', 'b'), ('b', 'a'), ('a', 'm'), ('m', 'b'), ('x', 'y'), ('t', 'a'),
                         ('b', 't'), ('l', 'a'), ('a', 'l'), ('b', 'l')):
            frames = [net.frame(src, dst, n, 60 + n % 1455) for n in range(800)]
            got = net.exchange(src, dst, frames)
            net.check_frames([f for _, f in got], frames, f'{src} to {dst}')
            assert not any(net.after(src).values())


@needs_two_cpus
@pytest.mark.parametrize('kind', ['server', 'library', 'tap'])
def test_two_workers_one_receiver(kind):
    """Two workers send to one queue at the same time: each frame arrives or is counted, each
    sender's in order."""
    conf = {'a': {'lcores': [CPUS[0]]}, 'b': {'lcores': [CPUS[1]]}}
    n_frames = 20000
    with Net({'a': 'server', 'b': 'server', 'r': kind}, switch={'workers': CPUS[:2]},
             conf=conf) as net:
        net.learn()
        frames = {src: [net.frame(src, 'r', n, 60 + n % 200) for n in range(n_frames)]
                  for src in 'ab'}
        before = net.all_counts()
        senders = [threading.Thread(target=net[src].send_many, args=(frames[src],)) for src in 'ab']
        for thread in senders:
            thread.start()
        got = []
        end = time.monotonic() + 60
        quiet = 0
        while quiet < 10 and time.monotonic() < end:
            new = net['r'].recv(1, 0.1)
            got += new
            alive = any(t.is_alive() for t in senders)
            quiet = 0 if new or alive else quiet + 1
        for thread in senders:
            thread.join()
        wait_until('all came in', lambda: all(
            net.all_counts()[s]['rx_frames'] - before[s]['rx_frames'] == n_frames for s in 'ab'))
        if kind == 'tap':
            assert net['r'].kernel_drops() == 0, 'the test was too slow a reader'
        after = net.all_counts()['r']
        lost = after['drops'].get('tx-no-room', 0)
        assert set(after['drops']) <= {'tx-no-room'}
        assert len(got) + lost == 2 * n_frames
        for src in 'ab':
            of_src = iter(frames[src])
            mac = bytes.fromhex(net.macs[src].replace(':', ''))
            for frame in (f for f in got if f[6:12] == mac):
                assert any(frame == f for f in of_src), 'twice, altered or out of order'


def test_learning_across_workers():
    """A station that moves between ports of different workers is followed."""
    workers = CPUS[:2]
    conf = {'a': {'lcores': [workers[0]]}, 'b': {'lcores': [workers[-1]]}}
    with Net({'a': 'server', 'b': 'server', 'c': 'server'}, switch={'workers': workers},
             conf=conf) as net:
        net.learn()
        mac = net.macs['a']
        for n in range(20):
            name = 'ab'[n % 2]
            frame = b'\xff' * 6 + net.frame('a')[6:]
            net[name].send(frame)
            assert net['c'].recv(1) == [frame]
            probe = net.frame('c', mac)
            net['c'].send(probe)
            assert net[name].recv(1)[-1] == probe
            for other in 'ab':
                net[other].take()


def test_unknown_lcore():
    """A port can't ask for a CPU that has no worker."""
    with Daemon() as d:
        said = d.ctl_fail('port', 'add', 'x', 'type=vhost-user', f'socket={d.path("x")}',
                          'lcores=4095')
        assert 'x' in said and 'lcores' in said and '4095' in said


def test_idle_sleep_is_cheap():
    """An idle daemon leaves the CPU to guests, with ports of all kinds."""
    with Net({'a': 'server', 'l': 'library', 't': 'tap'}) as net:
        net.learn()
        worker = net.daemon.ctl('worker', 'list')['workers'][0]
        assert worker['idle'] == 'sleep'
        before, start = cpu_seconds(net.daemon.pid), time.monotonic()
        time.sleep(3)
        used = (cpu_seconds(net.daemon.pid) - before) / (time.monotonic() - start)
        assert used < 0.5, f'{used:.0%} of a CPU'
        # and it still wakes up
        net.learn()
        after = net.daemon.ctl('worker', 'list')['workers'][0]
        assert after['rounds'] > worker['rounds']
        assert after['frames'] > worker['frames']
        assert 0 <= after['busy_percent'] <= 100


def test_idle_poll():
    """idle: poll never sleeps, and says so."""
    with Net({'a': 'server', 'b': 'server'}, switch={'idle': 'poll'}) as net:
        worker = net.daemon.ctl('worker', 'list')['workers'][0]
        assert worker['idle'] == 'poll'
        net.learn()
        frames = [net.frame('a', 'b', n) for n in range(500)]
        got = net.exchange('a', 'b', frames)
        net.check_frames([f for _, f in got], frames, 'a to b')
        time.sleep(1)
        assert net.daemon.ctl('worker', 'list')['workers'][0]['sleeps'] == 0
        for word in ('poll', 'a', 'b'):
            assert word in net.daemon.ctl_text('worker', 'list')


def test_idle_max_us():
    """The config's longest sleep is in force, and a frame still arrives."""
    with Net({'a': 'server', 'b': 'server'}, switch={'idle_max_us': 100000}) as net:
        net.learn()
        time.sleep(1)
        assert net.daemon.ctl('worker', 'list')['workers'][0]['sleeps'] > 0
        frame = net.frame('a', 'b')
        net['a'].send(frame)
        assert net['b'].recv(1, 5.0) == [frame]
        assert net.daemon.ctl('worker', 'list')['workers'][0]['idle_max_us'] == 100000


def test_counters_of_workers():
    """Frames and batches of a worker are what its ports received."""
    with Net({'a': 'server', 'b': 'server'}) as net:
        net.learn()
        frames = [net.frame('a', 'b', n) for n in range(640)]
        net.exchange('a', 'b', frames)
        received = sum(p['rx_frames'] for p in net.daemon.ctl('port', 'list')['ports'])

        def agree():
            workers = net.daemon.ctl('worker', 'list')['workers']
            return sum(w['frames'] for w in workers) == received and \
                0 < sum(w['batches'] for w in workers) <= received
        wait_until('workers agree with ports', agree, 5.0)
