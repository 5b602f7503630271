/* SPDX-License-Identifier: BSD-3-Clause */
/* startup.c: see startup.h. */
#include "startup.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <numa.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_version.h>

#include "error.h"
#include "log.h"
#include "switch.h"

enum {
	NODES_MAX = 64,
	EAL_ARGS_MAX = 64,
	EAL_TEXT_MAX = 8192,
	LIST_MAX = 1024,
	MBUFS_MIN = 1024,
	MBUFS_MAX = 8192,
	MBUF_BYTES = RTE_MBUF_DEFAULT_BUF_SIZE + sizeof(struct rte_mbuf) + RTE_CACHE_LINE_SIZE,
};

/* The CPUs that this process may run on, as "0-3,6". */
static void
print_cpus(const cpu_set_t *cpus, char *text, size_t size)
{
	size_t used = 0;

	text[0] = 0;
	for (int cpu = 0; cpu < CPU_SETSIZE && used < size; cpu++) {
		int first = cpu;

		if (!CPU_ISSET(cpu, cpus))
			continue;
		while (cpu + 1 < CPU_SETSIZE && CPU_ISSET(cpu + 1, cpus))
			cpu++;
		used += (size_t)snprintf(text + used, size - used, cpu > first ? "%s%d-%d" : "%s%d",
					 used ? "," : "", first, cpu);
	}
}

/* Asks the kernel: isolated CPUs are in nobody's mask by themselves, and may be used all the same.
 */
static bool
can_run_on(uint16_t cpu, const cpu_set_t *before)
{
	cpu_set_t one;
	bool can;

	if (cpu >= CPU_SETSIZE)
		return false;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	can = sched_setaffinity(0, sizeof(one), &one) == 0;
	sched_setaffinity(0, sizeof(*before), before);
	return can;
}

int
startup_check_cpus(const struct switch_conf *conf, struct error *e)
{
	char list[LIST_MAX];
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		return error_set(e, -errno, "can't read which CPUs vswitchd may run on: %s",
				 strerror(errno));
	for (uint32_t i = 0; i < conf->n_workers; i++) {
		if (can_run_on(conf->workers[i], &cpus))
			continue;
		print_cpus(&cpus, list, sizeof(list));
		return error_set(e, -EINVAL,
				 "switch: workers: CPU %u is not there or not for vswitchd: choose "
				 "from %s",
				 conf->workers[i], list);
	}
	return 0;
}

static int
node_of_cpu(uint16_t cpu)
{
	int node = numa_available() < 0 ? 0 : numa_node_of_cpu(cpu);

	return node < 0 || node >= NODES_MAX ? 0 : node;
}

/* The nodes that have a worker; returns how many. */
static uint32_t
find_nodes(const struct switch_conf *conf, bool nodes[NODES_MAX])
{
	uint32_t n = 0;

	memset(nodes, 0, NODES_MAX * sizeof(nodes[0]));
	for (uint32_t i = 0; i < conf->n_workers; i++) {
		int node = node_of_cpu(conf->workers[i]);

		n += !nodes[node];
		nodes[node] = true;
	}
	return n;
}

static uint64_t
read_number(const char *path)
{
	unsigned long long number = 0;
	FILE *file = fopen(path, "r");

	if (!file)
		return 0;
	if (fscanf(file, "%llu", &number) != 1)
		number = 0;
	fclose(file);
	return number;
}

/* What there is of hugepages on a node, for the sentence that asks for more. */
struct hugepages {
	uint64_t free;	  /* bytes */
	uint64_t page_kb; /* size of the smallest kind */
	uint64_t n_pages; /* reserved of that kind */
	char dir[128];	  /* of that kind in sysfs; empty: the kernel has no hugepages */
};

static void
find_hugepages(int node, struct hugepages *h)
{
	char base[64], path[512];
	struct dirent *entry;
	DIR *dir;

	memset(h, 0, sizeof(*h));
	snprintf(base, sizeof(base), "/sys/devices/system/node/node%d/hugepages", node);
	dir = opendir(base);
	if (!dir) {
		snprintf(base, sizeof(base), "/sys/kernel/mm/hugepages");
		dir = opendir(base);
	}
	while (dir && (entry = readdir(dir))) {
		unsigned long kb;

		if (sscanf(entry->d_name, "hugepages-%lukB", &kb) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/%s/free_hugepages", base, entry->d_name);
		h->free += read_number(path) * kb * 1024;
		if (h->page_kb && kb > h->page_kb)
			continue;
		h->page_kb = kb;
		snprintf(h->dir, sizeof(h->dir), "%s/hugepages-%lukB", base, kb);
		snprintf(path, sizeof(path), "%s/nr_hugepages", h->dir);
		h->n_pages = read_number(path);
	}
	if (dir)
		closedir(dir);
}

int
startup_check_hugepages(const struct switch_conf *conf, uint64_t memory, struct error *e)
{
	bool nodes[NODES_MAX];
	uint64_t need = memory / find_nodes(conf, nodes);

	for (int node = 0; node < NODES_MAX; node++) {
		struct hugepages h;
		uint64_t missing;

		if (!nodes[node])
			continue;
		find_hugepages(node, &h);
		if (h.free >= need)
			continue;
		if (!h.dir[0])
			return error_set(e, -ENOMEM,
					 "switch: hugepages: this kernel has none: set `hugepages: "
					 "false` (slower)");
		missing = (need - h.free + h.page_kb * 1024 - 1) / (h.page_kb * 1024);
		return error_set(
			e, -ENOMEM,
			"switch: memory: %llu MiB of hugepages are needed on NUMA node %d, "
			"%llu MiB are free: run `echo %llu > %s/nr_hugepages`, or set "
			"`hugepages: false` (slower)",
			(unsigned long long)(need >> 20), node, (unsigned long long)(h.free >> 20),
			(unsigned long long)(h.n_pages + missing), h.dir);
	}
	return 0;
}

/*
 * Where EAL writes its lines to: our log, less the newline at the end. Its warnings are of use only
 * to who looks for something ("no 1 GiB pages"). A peer can cause some of them as often as it
 * likes, on workers as well.
 */
static ssize_t
write_dpdk_log(void *cookie, const char *text, size_t size)
{
	bool is_error = rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR;
	size_t len = size && text[size - 1] == '\n' ? size - 1 : size;
	static struct log_limit limit = {.burst = 200, .interval_s = 10}; /* under stdio's lock */
	uint32_t suppressed = 0;

	(void)cookie;
	if (is_error && !log_allowed(&limit, &suppressed))
		return (ssize_t)size;
	if (suppressed)
		log_line(LOG_LEVEL_ERR, "dpdk: %u more lines", suppressed);
	log_line(is_error ? LOG_LEVEL_ERR : LOG_LEVEL_DEBUG, "dpdk: %.*s", (int)len, text);
	return (ssize_t)size;
}

static int
take_dpdk_log(struct error *e)
{
	cookie_io_functions_t functions = {.write = write_dpdk_log};
	FILE *stream = fopencookie(NULL, "w", functions);

	if (!stream)
		return error_set(e, -ENOMEM, "out of memory for the log of DPDK");
	setvbuf(stream, NULL, _IOLBF, 0);
	rte_openlog_stream(stream);
	return 0;
}

/* "64,0,64": MiB on each node up to the last that has a worker. */
static void
print_memory(const struct switch_conf *conf, uint64_t memory, char *text, size_t size)
{
	bool nodes[NODES_MAX];
	uint64_t each_m = memory / find_nodes(conf, nodes) >> 20;
	size_t used = 0;
	int last = 0;

	for (int node = 0; node < NODES_MAX; node++)
		if (nodes[node])
			last = node;
	for (int node = 0; node <= last && used < size; node++)
		used += (size_t)snprintf(text + used, size - used, "%s%llu", node ? "," : "",
					 nodes[node] ? (unsigned long long)each_m : 0ull);
}

/*
 * The main thread, and with it the threads that DPDK makes, keeps off the workers' CPUs, where any
 * other is left. EAL puts its threads (vhost-events too) on the CPUs that the process may use and
 * that no lcore has (compute_ctrl_threads_cpuset()), which would be just those of the workers; with
 * none left it puts them where the main lcore is.
 */
static void
keep_off_workers(const struct switch_conf *conf, char *text, size_t size)
{
	char list[LIST_MAX - 8];
	cpu_set_t all, rest;

	sched_getaffinity(0, sizeof(all), &all);
	rest = all;
	for (uint32_t i = 0; i < conf->n_workers; i++)
		CPU_CLR(conf->workers[i], &rest);
	if (CPU_COUNT(&rest) == 0)
		rest = all;
	sched_setaffinity(0, sizeof(rest), &rest);
	print_cpus(&rest, list, sizeof(list));
	snprintf(text, size, "0@(%s)", list);
}

/* EAL keeps no copy of all of its arguments: they stay. */
struct eal_args {
	int n;
	char *argv[EAL_ARGS_MAX + 1];
	char text[EAL_TEXT_MAX];
	size_t used;
};

/* False if there is no room left. */
static bool __attribute__((format(printf, 2, 3)))
add_arg(struct eal_args *args, const char *format, ...)
{
	char *at = args->text + args->used;
	size_t room = sizeof(args->text) - args->used;
	va_list list;
	int len;

	va_start(list, format);
	len = vsnprintf(at, room, format, list);
	va_end(list);
	if (len < 0 || (size_t)len >= room || args->n == EAL_ARGS_MAX)
		return false;
	args->argv[args->n++] = at;
	args->used += (size_t)len + 1;
	return true;
}

static void
add_memory_args(struct eal_args *args, const struct switch_conf *conf, uint64_t memory,
		bool hugepages)
{
	char list[LIST_MAX];

	/* DPDK 22.11 takes --no-huge for legacy memory, which it refuses to have --in-memory */
	if (hugepages) {
		add_arg(args, "--in-memory");
		/* by files net_virtio_user shares it, and vhost-user takes 8 */
		add_arg(args, "--single-file-segments");
		print_memory(conf, memory, list, sizeof(list));
		add_arg(args, "--socket-mem=%s", list);
		add_arg(args, "--socket-limit=%s", list);
	} else {
		add_arg(args, "--no-shconf");
		add_arg(args, "--no-huge");
		add_arg(args, "-m");
		add_arg(args, "%llu", (unsigned long long)(memory >> 20));
	}
}

int
startup_eal(const struct switch_conf *conf, uint64_t memory, bool hugepages, bool debug,
	    char *const *more, struct error *e)
{
	static struct eal_args args;
	char lcores[LIST_MAX];

	if (take_dpdk_log(e) != 0)
		return -ENOMEM;
	keep_off_workers(conf, lcores, sizeof(lcores));
	add_arg(&args, "vswitchd");
	add_arg(&args, "--no-telemetry");
	/* devices are probed by their ports; the first option lets in one that can't be there */
	add_arg(&args,
		access("/sys/bus/pci/devices", F_OK) == 0 ? "--allow=ffff:ff:1f.7" : "--no-pci");
	add_arg(&args, "--iova-mode=va");
	/* nothing is shared by files, but EAL makes a directory of this name */
	add_arg(&args, "--file-prefix=vswitchd");
	add_arg(&args, "--lcores=%s", lcores);
	if (debug)
		add_arg(&args, "--log-level=*:debug");
	add_memory_args(&args, conf, memory, hugepages);
	for (; more && *more; more++)
		if (!add_arg(&args, "%s", *more))
			return error_set(e, -E2BIG, "too many EAL options after --");
	if (rte_eal_init(args.n, args.argv) < 0)
		return error_set(e, -rte_errno,
				 "DPDK did not start: %s: the lines above say more, `log: debug` "
				 "most",
				 rte_strerror(rte_errno));
	return 0;
}

void
startup_eal_end(void)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s", rte_eal_get_runtime_dir());
	rte_eal_cleanup();
	rmdir(dir); /* empty, unless somebody else uses it */
}

uint32_t
startup_mbufs(uint64_t memory, uint32_t n_workers)
{
	uint64_t n = memory / 4 / MBUF_BYTES / n_workers;

	return n < MBUFS_MIN ? MBUFS_MIN : n > MBUFS_MAX ? MBUFS_MAX : (uint32_t)n;
}
