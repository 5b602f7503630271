/* SPDX-License-Identifier: BSD-3-Clause */
/* value.c: see value.h. */
#include "value.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool
value_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads the digits at text; the end of them, or NULL. */
static const char *
value_digits(const char *text, uint64_t *out)
{
	uint64_t n = 0;

	if (!value_is_digit(text[0]) || (text[0] == '0' && value_is_digit(text[1])))
		return NULL;
	for (; value_is_digit(*text); text++)
		if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
			return NULL;
	*out = n;
	return text;
}

bool
value_number(const char *text, uint64_t *out)
{
	const char *end = value_digits(text, out);

	return end && !*end;
}

bool
value_size(const char *text, uint64_t *out)
{
	const char *end = value_digits(text, out), *unit;
	static const char units[] = "KMG";

	if (!end || !*end)
		return end != NULL;
	unit = strchr(units, *end);
	if (!unit || end[1])
		return false;
	return !__builtin_mul_overflow(*out, (uint64_t)1 << 10 * (unit - units + 1), out);
}

bool
value_flag(const char *text, bool *out)
{
	static const char *const words[][2] = {{"false", "true"}, {"no", "yes"}, {"off", "on"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (int value = 0; value < 2; value++)
			if (strcmp(text, words[i][value]) == 0) {
				*out = value;
				return true;
			}
	return false;
}

bool
value_permissions(const char *text, uint32_t *out)
{
	size_t len = strlen(text);

	if (len < 3 || len > 5 || strspn(text, "01234567") != len)
		return false;
	*out = 0;
	for (; *text; text++)
		*out = *out * 8 + (uint32_t)(*text - '0');
	return *out <= 0777;
}

static int
value_hex(char c)
{
	if (value_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Reads len hexadecimal digits, of which all must be there. */
static bool
value_hex_digits(const char *text, size_t len, uint32_t *out)
{
	*out = 0;
	for (; len > 0; len--, text++) {
		int digit = value_hex(*text);

		if (digit < 0)
			return false;
		*out = *out << 4 | (uint32_t)digit;
	}
	return true;
}

bool
value_pci(const char *text, char out[PORT_PCI_MAX])
{
	enum {
		DOMAIN_LEN_MIN = 4,
		DOMAIN_LEN_MAX = 8, /* of a uint32_t; out has room for one less */
		SLOT_MAX = 0x1f,
		FUNCTION_MAX = 7,
	};
	const char *last = strrchr(text, ':');
	uint32_t domain = 0, bus, slot, function;

	if (last && last - text > 2) {
		size_t len = (size_t)(last - text) - 3;

		if (len < DOMAIN_LEN_MIN || len > DOMAIN_LEN_MAX || text[len] != ':' ||
		    !value_hex_digits(text, len, &domain))
			return false;
		text += len + 1;
	}
	if (strlen(text) != 7 || text[2] != ':' || text[5] != '.' ||
	    !value_hex_digits(text, 2, &bus) || !value_hex_digits(text + 3, 2, &slot) ||
	    !value_hex_digits(text + 6, 1, &function) || slot > SLOT_MAX || function > FUNCTION_MAX)
		return false;
	return snprintf(out, PORT_PCI_MAX, "%04x:%02x:%02x.%x", domain, bus, slot, function) <
	       PORT_PCI_MAX;
}

bool
value_mac(const char *text, struct ether_addr *out)
{
	if (strlen(text) != 17)
		return false;
	for (size_t i = 0; i < 6; i++, text += 3) {
		int high = value_hex(text[0]), low = value_hex(text[1]);

		if (high < 0 || low < 0 || text[2] != (i < 5 ? ':' : 0))
			return false;
		out->ether_addr_octet[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool
value_prefix(const char *text, struct port_address *out)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	uint64_t len;

	memset(out, 0, sizeof(*out));
	if (!slash || (size_t)(slash - text) >= sizeof(address) || !value_number(slash + 1, &len))
		return false;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = 0;
	if (inet_pton(AF_INET, address, &out->in) == 1) {
		out->family = AF_INET;
		out->prefix_len = (uint8_t)len;
		return len <= 32;
	}
	if (inet_pton(AF_INET6, address, &out->in6) == 1) {
		out->family = AF_INET6;
		out->prefix_len = (uint8_t)len;
		return len <= 128;
	}
	return false;
}

bool
value_is_name(const char *text, size_t len_max)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789_.-";
	size_t len = strlen(text);

	return len > 0 && len <= len_max && strspn(text, allowed) == len && text[0] != '.' &&
	       text[0] != '-';
}
