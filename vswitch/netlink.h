/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netlink.h: what the kernel's rtnetlink (rtnetlink(7)) is asked about interfaces, for the kinds of
 * port that have one: the host's end of a TAP, the PF of a VF.
 *
 * All act in the network namespace of the calling thread. Errors come with the kernel's own words
 * in why, for the caller's sentence.
 *
 * Threads: any but workers; each call has a socket of its own. A watch belongs to its caller.
 */
#ifndef VSWITCH_NETLINK_H
#define VSWITCH_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

struct error;
struct nlmsghdr;
struct port_address;

/* Room for a request that libmnl fills. */
struct netlink_request {
	_Alignas(uint32_t) char bytes[1024]; /* NLMSG_ALIGNTO */
};

/* Begins a request of that type (RTM_...LINK) about the interface of that name. */
struct nlmsghdr *netlink_put_link(struct netlink_request *request, uint16_t type,
				  const char *ifname);

/*
 * Sends a request and hands the messages of the answer to each (may be NULL) with arg, as libmnl's
 * mnl_cb_run() does: each returns MNL_CB_OK, or MNL_CB_ERROR with errno. 0 or -errno. What changes
 * something needs CAP_NET_ADMIN.
 */
int netlink_ask(struct nlmsghdr *request, int (*each)(const struct nlmsghdr *message, void *arg),
		void *arg, struct error *why);

struct netlink_link {
	uint32_t index;
	bool up; /* set up by the host, and has its carrier */
	uint32_t mtu;
	uint8_t mac[6];
	uint64_t n_tx_dropped; /* frames that the host sent while its queue was full */
};

enum {
	NETLINK_OWN_NAMESPACE = -1
};

/*
 * The number that the calling thread's network namespace has for another one, given by a
 * descriptor of it; it gets one if it has none. 0 or -errno. Needs CAP_NET_ADMIN.
 */
int netlink_namespace_id(int ns_fd, int32_t *id, struct error *why);

/*
 * Asks for the interface of that name in a namespace, by its number. 0 or -errno (-ENODEV: there is
 * none). Namespaces but the own need CAP_NET_ADMIN.
 */
int netlink_get_link(int32_t ns_id, const char *ifname, struct netlink_link *link,
		     struct error *why);

/* Deletes the interface of that name in the own namespace. 0 or -errno. Needs CAP_NET_ADMIN. */
int netlink_del_link(const char *ifname, struct error *why);

/*
 * Sets the MTU of the interface of that name in the own namespace, or sets it up. 0 or -errno. Need
 * CAP_NET_ADMIN.
 */
int netlink_set_mtu(const char *ifname, uint32_t mtu, struct error *why);
int netlink_set_up(const char *ifname, struct error *why);

/* Gives an interface an address, IPv6 without duplicate address detection. 0 or -errno. */
int netlink_add_address(uint32_t index, const struct port_address *address, struct error *why);

struct mnl_socket;

/*
 * A socket that gets a message for each change of an interface in the own namespace; NULL with why.
 * If sees_all is not NULL, also for those in other namespaces that have a number (needs
 * CAP_NET_BROADCAST: *sees_all says whether it is so). A namespace is not kept alive by this.
 */
struct mnl_socket *netlink_watch_open(bool *sees_all, struct error *why);
void netlink_watch_close(struct mnl_socket *socket); /* takes NULL */
int netlink_watch_fd(const struct mnl_socket *socket);

/*
 * Throws away all waiting messages, which say only that something changed. Never waits. True if
 * there were any, or some were lost.
 */
bool netlink_watch_drain(struct mnl_socket *socket);

#endif
