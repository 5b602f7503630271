/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * value.h: reads single values strictly: the whole text must be the value.
 *
 * Each returns false, with *out undefined, for what is not such a value.
 *
 * Threads: any.
 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <net/ethernet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port.h"

/* Decimal digits without sign and leading zeroes. */
bool value_number(const char *text, uint64_t *out);

/* Bytes: a number, with K, M or G behind it for powers of 1024. */
bool value_size(const char *text, uint64_t *out);

/* true, yes, on; false, no, off. */
bool value_flag(const char *text, bool *out);

/* File permissions in octal, 0000..0777. */
bool value_permissions(const char *text, uint32_t *out);

/* 52:54:00:12:34:56. */
bool value_mac(const char *text, struct ether_addr *out);

/* 10.77.0.254/24 or fd77::fe/64. */
bool value_prefix(const char *text, struct port_address *out);

/* A PCI address, 0000:01:10.0 or 01:10.0, which is written as the kernel writes it. */
bool value_pci(const char *text, char out[PORT_PCI_MAX]);

/* A-Z a-z 0-9 _ . - of at most len_max bytes, not beginning with . or -. */
bool value_is_name(const char *text, size_t len_max);

#endif
