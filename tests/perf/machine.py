# SPDX-License-Identifier: BSD-3-Clause
"""The machine that is measured on: whether it will do, its hugepages, and what it is."""
import contextlib
import json
import os
import pathlib
import platform
import statistics
import subprocess

PAGES = pathlib.Path('/sys/kernel/mm/hugepages/hugepages-2048kB')
PAGE_MB = 2
RESERVE_PART = 0.6  # of what is available may become hugepages


def unfit(cpus):
    """A sentence that says why nothing can be measured here with these CPUs, or None."""
    if os.geteuid() != 0:
        return 'needs root, for hugepages and priorities: sudo tests/perf/run'
    allowed = os.sched_getaffinity(0)
    for cpu in cpus:
        if cpu not in allowed:
            return f'CPU {cpu} is not there or not allowed, only {sorted(allowed)}: ' \
                   'guests and switch need one each, see --cpu and --generator-cpu'
    if len(set(cpus)) < len(cpus):
        return 'guests and switch need a CPU each: --cpu and --generator-cpu are the same'
    return None


def read_pages(name):
    return int((PAGES / name).read_text(encoding='ascii'))


def available_mb():
    for line in pathlib.Path('/proc/meminfo').read_text(encoding='ascii').splitlines():
        if line.startswith('MemAvailable'):
            return int(line.split()[1]) // 1024
    return 0


class NoHugepages(Exception):
    """There are too few, and more can't be had: one sentence."""


@contextlib.contextmanager
def hugepages(needed_mb):
    """Reserves what is missing, and gives it back."""
    added = 0
    if not PAGES.exists():
        raise NoHugepages('this kernel has no hugepages of 2 MB')
    free_mb = read_pages('free_hugepages') * PAGE_MB
    if free_mb < needed_mb:
        missing_mb = needed_mb - free_mb
        if missing_mb > available_mb() * RESERVE_PART:
            raise NoHugepages(f'{free_mb} MB of hugepages are free, {needed_mb} are needed, and '
                              f'the memory is too small for that: {available_mb()} MB are left')
        before = read_pages('nr_hugepages')
        try:
            (PAGES / 'nr_hugepages').write_text(str(before + missing_mb // PAGE_MB + 1))
        except OSError as e:
            raise NoHugepages(f'{free_mb} MB of hugepages are free, {needed_mb} are needed: '
                              f'they can\'t be reserved here: {e.strerror}') from e
        added = read_pages('nr_hugepages') - before
        print(f'hugepages: {free_mb} MB were free, {added * PAGE_MB} MB more are reserved for '
              'this run', flush=True)
    try:
        if read_pages('free_hugepages') * PAGE_MB < needed_mb:
            raise NoHugepages(f'{read_pages("free_hugepages") * PAGE_MB} MB of hugepages are '
                              f'free, {needed_mb} are needed: memory is too scattered, reserve '
                              'them when the machine starts (hugepages= of the kernel)')
        yield
    finally:
        if added:
            (PAGES / 'nr_hugepages').write_text(str(max(0, read_pages('nr_hugepages') - added)))


def describe():
    cpu = next((line.split(':', 1)[1].strip() for line in
                pathlib.Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
                if line.startswith('model name')), platform.machine())
    release = ''
    with contextlib.suppress(OSError):
        release = ', ' + platform.freedesktop_os_release()['PRETTY_NAME']
    return f'{os.cpu_count()} CPUs {cpu}, Linux {platform.release()}{release}'


def cache_line(cpu=0):
    """The sizes of a CPU's caches and who shares the last one, in a few words."""
    caches = {}
    for index in pathlib.Path(f'/sys/devices/system/cpu/cpu{cpu}/cache').glob('index*'):
        with contextlib.suppress(OSError):
            level, size, shared = ((index / name).read_text(encoding='ascii').strip()
                                   for name in ('level', 'size', 'shared_cpu_list'))
            caches[level] = f'L{level} {size}', shared
    if not caches:
        return 'caches not known'
    last = max(caches)
    return f'{", ".join(caches[level][0] for level in sorted(caches))}, the last one of CPUs ' \
           f'{caches[last][1]}'


def hypervisor():
    """Which one this is a guest of, as far as it says."""
    try:
        done = subprocess.run(['lscpu'], capture_output=True, text=True, timeout=20, check=False,
                              env={**os.environ, 'LC_ALL': 'C'})
        found = dict(line.split(':', 1) for line in done.stdout.splitlines() if ':' in line)
    except (OSError, subprocess.TimeoutExpired):
        return 'whether in a virtual machine is not known'
    vendor = found.get('Hypervisor vendor', '').strip()
    return f'virtual machine ({vendor})' if vendor else 'no hypervisor'


def describe_build(place):
    """How our programs were built, what memory they have, and on what kind of machine."""
    built = {}
    with contextlib.suppress(OSError, ValueError):
        options = json.loads((place.build / 'meson-info/intro-buildoptions.json').read_text())
        built = {o['name']: o['value'] for o in options}
    pages = 'hugepages of 2 MB' if place.hugepages else 'ordinary pages'
    return [f'built as {built.get("buildtype", "is not known")}, {pages}',
            f'{hypervisor()}; {cache_line(place.cpu)}']


def describe_windows(answers, probe_ns, stolen_part):
    """What became of all windows."""
    windows = [a for a in answers if 'probe_ns' in a]
    probes = sorted(ns for w in windows for ns in w['probe_ns'] if ns >= 0)
    lines = []
    if probes:
        lines.append(f'a cache line between the two CPUs: median {statistics.median(probes):.0f} '
                     f'ns, {probes[0]:.0f} to {probes[-1]:.0f}; clean up to {probe_ns:.0f}')
    lines.append(f'{sum(w["clean"] for w in windows)} of {len(windows)} windows are clean; '
                 f'{sum(max(w["stolen"]) > stolen_part for w in windows)} lost CPU time to others')
    for dut in dict.fromkeys(w['dut'] for w in windows):
        its = [w for w in windows if w['dut'] == dut]
        lines.append(f'    {dut}: {sum(w["clean"] for w in its)} of {len(its)}')
    if probes and probes[0] > probe_ns:
        lines.append('the CPUs were never so near as a clean window needs: if they are no nearer '
                     'on this machine, give --probe-limit')
    return lines
