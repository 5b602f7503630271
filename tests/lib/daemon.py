# SPDX-License-Identifier: BSD-3-Clause
"""daemon.py: starts the real vswitchd on a config, talks to it with the real vswitchctl, ends it.

    with Daemon({'ports': [{'name': 'vm1', 'type': 'vhost-user', 'socket': 'vm1.sock'}]}) as d:
        d.ctl('port', 'list')            # the result object of vswitchctl --json
        d.ctl_fail('port', 'del', 'vm9') # the sentence it refuses with

The environment says which build: VSWITCH_BUILD, default <repository>/build. Relative socket paths
are meant relative to d.dir. A report of a sanitizer in the daemon's log, or in what vswitchctl
says, is a failure wherever it is noticed, and at the latest when the daemon is stopped.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

SANITIZER = re.compile(r'(AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|'
                       r'ThreadSanitizer)[^\n]*|runtime error: [^\n]*')


LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """In a new process: nothing outlives the tests, however they end."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def build_dir():
    """Where the binaries under test are."""
    return os.path.abspath(os.environ.get('VSWITCH_BUILD', os.path.join(REPO, 'build')))


SANITIZER_ENV = {
    'ASAN_OPTIONS': 'detect_leaks=1:halt_on_error=1:abort_on_error=0:exitcode=99',
    'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1:exitcode=99',
    'TSAN_OPTIONS': 'halt_on_error=1:exitcode=99',
}


def sanitizer_env():
    """The environment for programs that may be built with sanitizers."""
    return {**os.environ, **SANITIZER_ENV}


def ctl_env():
    """The same for vswitchctl and the doctor, which loads libvirt late: of such a library's TLS,
    LeakSanitizer would follow a pointer that it only guesses, and may crash."""
    env = sanitizer_env()
    return {**env, 'ASAN_OPTIONS': env['ASAN_OPTIONS'] + ':intercept_tls_get_addr=0'}


def preload_env(env, program, libraries):
    """The environment of a program of the build with libraries of the build loaded first; but a
    sanitizer's runtime must come before those."""
    ldd = subprocess.run(['ldd', program], check=True, capture_output=True, text=True).stdout
    first = re.findall(r'lib[at]san\.so\S* => (\S+)', ldd)
    paths = [os.path.join(os.path.dirname(program), name) for name in libraries]
    return {**env, 'LD_PRELOAD': ' '.join(first + paths)}


def assert_no_report(text, where):
    """Fails if a sanitizer reported something in text."""
    found = SANITIZER.search(text)
    if found:
        raise AssertionError(f'{where}: {found.group(0)}\n{text[max(0, found.start() - 200):]}')


def run_vswitchd(*args, timeout=60, wrap=()):
    """Runs vswitchd to its end; the CompletedProcess."""
    done = subprocess.run([*wrap, os.path.join(build_dir(), 'vswitchd'), *args], text=True,
                          capture_output=True, timeout=timeout, env=sanitizer_env(), check=False)
    assert_no_report(done.stderr, 'vswitchd')
    return done


def free_hugepages():
    """Free bytes of 2M pages."""
    with open('/proc/meminfo', encoding='ascii') as f:
        return int(re.search(r'HugePages_Free:\s*(\d+)', f.read())[1]) * 2 << 20


def wait_until(what, condition, timeout=10.0, step=0.02):
    """Waits for condition() to be true and returns its value; what names it in the failure."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'{what}: not within {timeout} s')
        time.sleep(step)


class DaemonError(AssertionError):
    """The daemon did not do what the test needs; str() has its log."""


class Daemon:
    """One vswitchd with its own directory, config and control socket."""

    def __init__(self, config=None, build=None, workdir=None, start=True, wrap=(), args=(), eal=(),
                 env=None, preload=()):
        """config: the file's content as a dict (YAML takes JSON) or as text, see settle().
        wrap: words put before vswitchd (setpriv ...). args, eal: further words on its command line,
        before and after a `--`. env: more of its environment; preload: libraries of the build that
        are loaded before its own."""
        self.build = os.path.abspath(build) if build else build_dir()
        self.own_dir = workdir is None
        self.dir = self.make_dir(workdir)
        self.config_file = os.path.join(self.dir, 'vswitch.yaml')
        self.socket = os.path.join(self.dir, 'ctl.sock')
        self.log_file = os.path.join(self.dir, 'vswitchd.log')
        self.config = self.write(config if config is not None else {})
        self.wrap = list(wrap)
        self.args = list(args)
        self.eal = list(eal)
        self.env = dict(env or {})
        self.preload = list(preload)
        self.proc = None
        if start:
            self.start()

    @staticmethod
    def make_dir(workdir):
        """The directory of the daemon's files: workdir, or one of our own."""
        if workdir is None:
            return tempfile.mkdtemp(prefix='vst-', dir='/tmp')
        os.makedirs(workdir, exist_ok=True)
        return os.path.abspath(workdir)

    def settle(self, config):
        """Puts in what every test config has: the control socket, little memory, no hugepages; and
        makes relative socket paths absolute."""
        config = json.loads(json.dumps(config))
        sw = config.setdefault('switch', {})
        sw.setdefault('control', self.socket)
        self.socket = sw['control']
        sw.setdefault('state', os.path.join(self.dir, 'state'))
        sw.setdefault('hugepages', False)
        sw.setdefault('memory', '128M')
        sw.setdefault('idle', 'sleep')
        for port in config.get('ports', []):
            if isinstance(port.get('socket'), str):
                port['socket'] = os.path.join(self.dir, port['socket'])
        return config

    def write(self, config):
        """Writes the config file: a dict is settled first, a text is taken as it is."""
        if not isinstance(config, str):
            config = self.settle(config)
            text = json.dumps(config, indent=2)
        else:
            text = config
        self.store(text)
        return config

    def store(self, text):
        """Writes the config file."""
        with open(self.config_file, 'w', encoding='utf-8') as f:
            f.write(text)

    def path(self, name):
        """A path in the daemon's directory."""
        return os.path.join(self.dir, name)

    # --- the daemon

    def command(self):
        """The words that start vswitchd."""
        words = [*self.wrap, os.path.join(self.build, 'vswitchd'), '-c', self.config_file,
                 *self.args]
        return [*words, '--', *self.eal] if self.eal else words

    def environment(self):
        """The environment of vswitchd."""
        env = {**sanitizer_env(), **self.env}
        if self.preload:
            env = preload_env(env, os.path.join(self.build, 'vswitchd'), self.preload)
        return env

    def spawn(self):
        """Starts vswitchd without waiting for it."""
        with open(self.log_file, 'ab') as log:
            self.proc = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                         stderr=log, cwd=self.dir, env=self.environment(),
                                         preexec_fn=die_with_parent)

    def start(self, timeout=30.0):
        """Starts vswitchd and waits until it answers on its control socket."""
        try:
            self.spawn()
            self.wait_ready(timeout)
        except BaseException:
            self.cleanup()
            raise

    def wait_ready(self, timeout=30.0):
        """Waits until `vswitchctl --json status` gets its answer from this very process."""
        end = time.monotonic() + timeout
        said = 'vswitchctl was not tried: no control socket'
        while True:
            if self.proc.poll() is not None:
                raise DaemonError(f'vswitchd ended with {self.proc.returncode} at the start; '
                                  f'it said:\n{self.log()}')
            if self.answers():
                done = self.ctl_run('--json', 'status')
                if done.returncode == 0 and json.loads(done.stdout).get('pid') is not None:
                    return
                said = done.stderr + done.stdout
            if time.monotonic() > end:
                raise DaemonError(f'vswitchd does not answer within {timeout} s: {said}\n'
                                  f'its log:\n{self.log()}')
            time.sleep(0.02)

    def answers(self):
        """Whether somebody listens on the control socket."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                s.settimeout(2)
                s.connect(self.socket)
            return True
        except OSError:
            return False

    @property
    def pid(self):
        """The daemon's process (the wrapping words exec it)."""
        return self.proc.pid

    def alive(self):
        """Whether it runs."""
        return self.proc is not None and self.proc.poll() is None

    def log(self):
        """All that it wrote so far, over all starts."""
        try:
            with open(self.log_file, encoding='utf-8', errors='replace') as f:
                return f.read()
        except FileNotFoundError:
            return ''

    def wait_log(self, pattern, timeout=10.0):
        """Waits until the log matches the regular expression; returns the match."""
        try:
            return wait_until(f'log has {pattern!r}', lambda: re.search(pattern, self.log()),
                              timeout)
        except AssertionError as e:
            raise DaemonError(f'{e}; the log:\n{self.log()}') from None

    def signal(self, number):
        """Sends it a signal."""
        self.proc.send_signal(number)

    def wait_exit(self, timeout=30.0):
        """Waits for its end; the exit code (negative: the signal that ended it)."""
        try:
            code = self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            raise DaemonError(f'vswitchd did not end within {timeout} s; its log:\n'
                              f'{self.log()}') from None
        assert_no_report(self.log(), 'vswitchd')
        return code

    def stop(self, timeout=30.0):
        """SIGTERM, then waits; returns the exit code. Fails on a report of a sanitizer."""
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
        return self.wait_exit(timeout)

    def kill9(self):
        """Ends it without a chance to clean up; start() may follow."""
        self.proc.kill()
        self.proc.wait()
        assert_no_report(self.log(), 'vswitchd')

    def cleanup(self):
        """Ends it in whatever state it is, and removes its directory if it is our own."""
        if self.proc is not None and self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()
        if self.own_dir:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        """After a good test the daemon must end well, too."""
        try:
            if self.proc is not None and self.proc.poll() is None:
                code = self.stop()
                if kind is None and code != 0:
                    raise DaemonError(f'vswitchd ended with {code} on SIGTERM; its log:\n'
                                      f'{self.log()}')
            assert_no_report(self.log(), 'vswitchd')
        finally:
            if kind is not None:
                print(f'--- log of vswitchd:\n{self.log()}')
            self.cleanup()

    # --- vswitchctl

    def ctl_run(self, *words, stdin=None, timeout=60.0):
        """Runs vswitchctl -s SOCKET WORDS; returns the CompletedProcess, whatever it says."""
        done = subprocess.run([os.path.join(self.build, 'vswitchctl'), '-s', self.socket, *words],
                              capture_output=True, text=True, timeout=timeout, input=stdin,
                              env=ctl_env(), check=False)
        assert_no_report(done.stderr, 'vswitchctl')
        return done

    def ctl(self, *words):
        """The result object of a command that must work."""
        done = self.ctl_run('--json', *words)
        if done.returncode != 0:
            raise DaemonError(f'vswitchctl {" ".join(words)}: exit {done.returncode}: {done.stderr}'
                              f'{done.stdout}\nlog of vswitchd:\n{self.log()}')
        return json.loads(done.stdout)

    def ctl_text(self, *words):
        """What a command that must work prints for people."""
        done = self.ctl_run(*words)
        if done.returncode != 0:
            raise DaemonError(f'vswitchctl {" ".join(words)}: exit {done.returncode}: '
                              f'{done.stderr}')
        return done.stdout

    def ctl_fail(self, *words, code=1):
        """The sentence with which a command is refused."""
        done = self.ctl_run(*words)
        if done.returncode != code:
            raise DaemonError(f'vswitchctl {" ".join(words)}: exit {done.returncode}, not {code}: '
                              f'{done.stderr}{done.stdout}')
        return done.stderr.strip()

    # --- short ways to what tests ask most

    def port(self, name):
        """The object of `port show`."""
        return self.ctl('port', 'show', name)

    def add(self, conf):
        """Adds a port from a dict as in the config file."""
        conf = self.settle({'ports': [conf]})['ports'][0]
        words = []
        for key, value in conf.items():
            if isinstance(value, list):
                value = ','.join(str(v) for v in value)
            if key != 'name':
                words.append(f'{key}={value}')
        return self.ctl('port', 'add', conf['name'], *words)

    def wait_link(self, *names, up=True, timeout=15.0):
        """Waits until the links of these ports are up (or down)."""
        want = 'up' if up else 'down'

        def there():
            ports = {p['name']: p for p in self.ctl('port', 'list')['ports']}
            return all(ports[n]['link'] == want for n in names)
        try:
            wait_until(f'links {names} {want}', there, timeout)
        except AssertionError as e:
            raise DaemonError(f'{e}: {self.ctl("port", "list")}\nlog:\n{self.log()}') from None

    def counts(self, name):
        """The object of `stats NAME`."""
        return self.ctl('stats', name)['ports'][0]
