# SPDX-License-Identifier: BSD-3-Clause
"""test_completion.py: what bash completes after vswitchctl and vswitchd."""

import os
import shlex
import subprocess

import pytest

from daemon import REPO, Daemon, sanitizer_env


def complete(build, program, *words):
    """What may stand for the last of the words, which are typed after the program's name."""
    script = os.path.join(REPO, 'conf', f'{program}.bash')
    say = 'printf "%s\\n" "${COMPREPLY[@]}"'
    typed = ' '.join(shlex.quote(w) for w in (os.path.join(build, program), *words))
    done = subprocess.run(['bash', '-c', f'source {script}; COMP_WORDS=({typed}); '
                           f'COMP_CWORD={len(words)}; _{program}; {say}'],
                          check=True, capture_output=True, text=True, env=sanitizer_env())
    assert not done.stderr
    return set(done.stdout.split())


@pytest.fixture(name='daemon', scope='module')
def running():
    """A switch with two ports."""
    with Daemon({'ports': [{'name': n, 'type': 'vhost-user', 'socket': f'{n}.sock'}
                           for n in ('vm1', 'web')]}) as d:
        yield d


@pytest.mark.parametrize('words, expected', [
    (['p'], {'port'}),
    (['port', ''], {'list', 'show', 'add', 'set', 'del', 'restart'}),
    (['port', 'show', ''], {'vm1', 'web'}),
    (['port', 'show', 'w'], {'web'}),
    (['--json', 'stats', ''], {'vm1', 'web'}),
    (['fdb', 'flush', 'vm'], {'vm1'}),
    (['port', 'add', ''], set()),
    (['port', 'list', ''], set()),
    (['nothing', ''], set()),
    (['--j'], {'--json'}),
    (['config', 'check', '/etc/host'], None),
])
def test_vswitchctl(daemon, words, expected):
    """Commands are those of the help, ports are asked for."""
    found = complete(daemon.build, 'vswitchctl', '-s', daemon.socket, *words)
    assert found == expected if expected is not None else '/etc/hosts' in found


def test_all_commands(daemon):
    """None is missing, nothing else is there."""
    text = subprocess.run([os.path.join(daemon.build, 'vswitchctl'), '--help'], check=True,
                          capture_output=True, text=True, env=sanitizer_env()).stdout
    lines = text.split('Commands:\n')[1].split('\n\n')[0].splitlines()
    assert complete(daemon.build, 'vswitchctl', '') == {line.split()[0] for line in lines}


def test_vswitchd(daemon):
    """Options, and a file."""
    assert complete(daemon.build, 'vswitchd', '--c') == {'--config', '--check'}
    assert '/etc/hosts' in complete(daemon.build, 'vswitchd', '-c', '/etc/host')
