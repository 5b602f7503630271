/* SPDX-License-Identifier: BSD-3-Clause */
/* netlink.c: rtnetlink by libmnl, see netlink.h. */
#include "netlink.h"

#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "error.h"
#include "port.h"

enum {
	SEQ = 1, /* a socket asks once */
};

static int
on_error_attr(const struct nlattr *attr, void *arg)
{
	const char **words = arg;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
		*words = mnl_attr_get_str(attr);
	return MNL_CB_OK;
}

/* The kernel's sentence in an error message (extended acknowledgement), or strerror()'s. */
static int
kernel_words(const struct nlmsghdr *nlh, int code, struct error *why)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	const char *words = strerror(code);
	size_t skip = sizeof(*err);

	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS) {
		/* the request comes back in front of the attributes, its payload only if not capped
		 */
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
			skip += MNL_ALIGN(err->msg.nlmsg_len) - sizeof(err->msg);
		mnl_attr_parse(nlh, (unsigned int)skip, on_error_attr, &words);
	}
	return error_set(why, -code, "%s", words);
}

struct answer {
	mnl_cb_t each; /* or NULL */
	void *arg;
	struct error *why;
	int error; /* -errno of the kernel, with why */
};

static int
on_error(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	struct answer *answer = arg;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*err))
		return MNL_CB_ERROR;
	if (err->error)
		answer->error = kernel_words(nlh, abs(err->error), answer->why);
	return MNL_CB_STOP;
}

static int
on_data(const struct nlmsghdr *nlh, void *arg)
{
	struct answer *answer = arg;

	return answer->each ? answer->each(nlh, answer->arg) : MNL_CB_OK;
}

/*
 * Takes the next message into *reply, which grows with it: an interface that has hundreds of VFs is
 * described in one message of more than 64 KiB. Its length, or -errno.
 */
static ssize_t
receive(struct mnl_socket *socket, char **reply)
{
	/* the length that it has, whatever room there is: recv(2), MSG_TRUNC */
	ssize_t n = recv(mnl_socket_get_fd(socket), NULL, 0, MSG_PEEK | MSG_TRUNC);
	char *larger;

	if (n < 0)
		return -errno;
	larger = realloc(*reply, (size_t)n + 1);
	if (!larger)
		return -ENOMEM;
	*reply = larger;
	n = mnl_socket_recvfrom(socket, *reply, (size_t)n + 1);
	return n < 0 ? -errno : n;
}

static int
receive_all(struct mnl_socket *socket, struct answer *answer)
{
	mnl_cb_t control[NLMSG_MIN_TYPE] = {[NLMSG_ERROR] = on_error};
	char *reply = NULL;
	int more = MNL_CB_OK;

	while (more == MNL_CB_OK) {
		ssize_t n = receive(socket, &reply);

		if (n == -EINTR)
			continue;
		if (n < 0)
			errno = (int)-n;
		more = n < 0 ? MNL_CB_ERROR
			     : mnl_cb_run2(reply, (size_t)n, SEQ, mnl_socket_get_portid(socket),
					   on_data, answer, control, MNL_ARRAY_SIZE(control));
	}
	if (more == MNL_CB_ERROR)
		answer->error = error_set(answer->why, -errno, "rtnetlink: %s", strerror(errno));
	free(reply);
	return answer->error;
}

int
netlink_ask(struct nlmsghdr *request, mnl_cb_t each, void *arg, struct error *why)
{
	struct answer answer = {.each = each, .arg = arg, .why = why};
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int on = 1, err;

	if (!socket)
		return error_set(why, -errno, "no rtnetlink socket: %s", strerror(errno));
	/* where the kernel is too old for its own sentences, strerror()'s will do */
	mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &on, sizeof(on));
	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = SEQ;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		err = error_set(why, -errno, "rtnetlink: %s", strerror(errno));
	else
		err = receive_all(socket, &answer);
	mnl_socket_close(socket);
	return err;
}

static int
on_link_attr(const struct nlattr *attr, void *arg)
{
	struct netlink_link *link = arg;
	uint16_t type = mnl_attr_get_type(attr);

	if (type == IFLA_MTU && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		link->mtu = mnl_attr_get_u32(attr);
	if (type == IFLA_ADDRESS && mnl_attr_get_payload_len(attr) == sizeof(link->mac))
		memcpy(link->mac, mnl_attr_get_payload(attr), sizeof(link->mac));
	/* structs grow at their ends; attributes are aligned to 4 */
	if (type == IFLA_STATS64 &&
	    mnl_attr_get_payload_len(attr) >= offsetof(struct rtnl_link_stats64, multicast))
		memcpy(&link->n_tx_dropped,
		       (const char *)mnl_attr_get_payload(attr) +
			       offsetof(struct rtnl_link_stats64, tx_dropped),
		       sizeof(link->n_tx_dropped));
	return MNL_CB_OK;
}

static int
on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	struct netlink_link *link = arg;

	if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*info))
		return MNL_CB_OK;
	link->index = (uint32_t)info->ifi_index;
	link->up = (info->ifi_flags & IFF_UP) && (info->ifi_flags & IFF_RUNNING);
	return mnl_attr_parse(nlh, sizeof(*info), on_link_attr, link);
}

struct nlmsghdr *
netlink_put_link(struct netlink_request *request, uint16_t type, const char *ifname)
{
	struct nlmsghdr *nlh;
	struct ifinfomsg *info;

	/* libmnl leaves what pads a name as it is */
	memset(request, 0, sizeof(*request));
	nlh = mnl_nlmsg_put_header(request->bytes);
	nlh->nlmsg_type = type;
	info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, ifname);
	return nlh;
}

int
netlink_get_link(int32_t ns_id, const char *ifname, struct netlink_link *link, struct error *why)
{
	struct netlink_request request;
	struct nlmsghdr *nlh = netlink_put_link(&request, RTM_GETLINK, ifname);

	*link = (struct netlink_link){0};
	if (ns_id != NETLINK_OWN_NAMESPACE)
		mnl_attr_put_u32(nlh, IFLA_TARGET_NETNSID, (uint32_t)ns_id);
	return netlink_ask(nlh, on_link, link, why);
}

int
netlink_del_link(const char *ifname, struct error *why)
{
	struct netlink_request request;

	return netlink_ask(netlink_put_link(&request, RTM_DELLINK, ifname), NULL, NULL, why);
}

int
netlink_set_mtu(const char *ifname, uint32_t mtu, struct error *why)
{
	struct netlink_request request;
	struct nlmsghdr *nlh = netlink_put_link(&request, RTM_SETLINK, ifname);

	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return netlink_ask(nlh, NULL, NULL, why);
}

int
netlink_set_up(const char *ifname, struct error *why)
{
	struct netlink_request request;
	struct nlmsghdr *nlh = netlink_put_link(&request, RTM_SETLINK, ifname);
	struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);

	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
	return netlink_ask(nlh, NULL, NULL, why);
}

static int
on_namespace_attr(const struct nlattr *attr, void *arg)
{
	int32_t *id = arg;

	if (mnl_attr_get_type(attr) == NETNSA_NSID && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		*id = (int32_t)mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int
on_namespace(const struct nlmsghdr *nlh, void *arg)
{
	if (nlh->nlmsg_type != RTM_NEWNSID)
		return MNL_CB_OK;
	return mnl_attr_parse(nlh, sizeof(struct rtgenmsg), on_namespace_attr, arg);
}

/* RTM_GETNSID, or RTM_NEWNSID with the number left to the kernel. */
static int
ask_namespace(uint16_t type, int ns_fd, int32_t *id, struct error *why)
{
	struct netlink_request request;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(request.bytes);
	struct rtgenmsg *msg;

	nlh->nlmsg_type = type;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->rtgen_family = AF_UNSPEC;
	mnl_attr_put_u32(nlh, NETNSA_FD, (uint32_t)ns_fd);
	if (type == RTM_NEWNSID)
		mnl_attr_put_u32(nlh, NETNSA_NSID, (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
	return netlink_ask(nlh, on_namespace, id, why);
}

int
netlink_namespace_id(int ns_fd, int32_t *id, struct error *why)
{
	int err;

	*id = NETNSA_NSID_NOT_ASSIGNED;
	err = ask_namespace(RTM_GETNSID, ns_fd, id, why);
	if (err == 0 && *id == NETNSA_NSID_NOT_ASSIGNED)
		err = ask_namespace(RTM_NEWNSID, ns_fd, id, why);
	if (err == 0 && *id == NETNSA_NSID_NOT_ASSIGNED)
		err = ask_namespace(RTM_GETNSID, ns_fd, id, why);
	if (err == 0 && *id == NETNSA_NSID_NOT_ASSIGNED)
		err = error_set(why, -ENOENT, "the kernel gives the namespace no number");
	return err;
}

int
netlink_add_address(uint32_t index, const struct port_address *address, struct error *why)
{
	struct netlink_request request;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(request.bytes);
	bool is_ipv4 = address->family == AF_INET;
	size_t len = is_ipv4 ? sizeof(address->in) : sizeof(address->in6);
	const void *bytes = is_ipv4 ? (const void *)&address->in : &address->in6;
	struct ifaddrmsg *msg;

	nlh->nlmsg_type = RTM_NEWADDR;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->ifa_family = (uint8_t)address->family;
	msg->ifa_prefixlen = address->prefix_len;
	msg->ifa_index = index;
	/* the address works from the first packet on: the operator answers for its being unique */
	msg->ifa_flags = is_ipv4 ? 0 : IFA_F_NODAD;
	msg->ifa_scope = RT_SCOPE_UNIVERSE;
	mnl_attr_put(nlh, IFA_LOCAL, len, bytes);
	mnl_attr_put(nlh, IFA_ADDRESS, len, bytes);
	return netlink_ask(nlh, NULL, NULL, why);
}

struct mnl_socket *
netlink_watch_open(bool *sees_all, struct error *why)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int on = 1;

	if (!socket || mnl_socket_bind(socket, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0) {
		error_set(why, -errno, "no rtnetlink socket: %s", strerror(errno));
		netlink_watch_close(socket);
		return NULL;
	}
	if (sees_all)
		*sees_all = mnl_socket_setsockopt(socket, NETLINK_LISTEN_ALL_NSID, &on,
						  sizeof(on)) == 0;
	return socket;
}

void
netlink_watch_close(struct mnl_socket *socket)
{
	if (socket)
		mnl_socket_close(socket);
}

int
netlink_watch_fd(const struct mnl_socket *socket)
{
	return mnl_socket_get_fd(socket);
}

bool
netlink_watch_drain(struct mnl_socket *socket)
{
	bool any = false;
	char byte;

	/* a short buffer drops the rest of a message; ENOBUFS says that some were lost */
	for (;;) {
		if (recv(mnl_socket_get_fd(socket), &byte, sizeof(byte), 0) >= 0 ||
		    errno == ENOBUFS)
			any = true;
		else if (errno != EINTR)
			return any;
	}
}
