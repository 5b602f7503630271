/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest.h: reading and writing memory that a guest may rewrite at any time.
 *
 * Each word is read exactly once, into a local: what was checked is what is used. That the guest
 * writes at the same time is a race by design, hidden from TSan here and nowhere else.
 *
 * Threads: any.
 */
#ifndef VHOST_GUEST_H
#define VHOST_GUEST_H

#include <stdint.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__)
#define GUEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GUEST_TSAN 1
#endif
#endif

#ifdef GUEST_TSAN
#define GUEST_RACE __attribute__((no_sanitize("thread"), noinline, unused))
#else
#define GUEST_RACE inline
#endif

/* Words at any address: a guest needn't align what it points to. */
struct guest_word16 {
	uint16_t v;
} __attribute__((packed, may_alias));

struct guest_word64 {
	uint64_t v;
} __attribute__((packed, may_alias));

/* Aligned ones, which are read and written in one piece. */
struct guest_aligned16 {
	uint16_t v;
} __attribute__((may_alias));

struct guest_aligned64 {
	uint64_t v;
} __attribute__((may_alias));

/* volatile: the compiler neither repeats nor splits the access */
static GUEST_RACE uint16_t
guest_read16(const void *at)
{
	return ((const volatile struct guest_word16 *)at)->v;
}

static GUEST_RACE uint64_t
guest_read64(const void *at)
{
	return ((const volatile struct guest_word64 *)at)->v;
}

static GUEST_RACE void
guest_write16(void *at, uint16_t v)
{
	((volatile struct guest_word16 *)at)->v = v;
}

static GUEST_RACE void
guest_write64(void *at, uint64_t v)
{
	((volatile struct guest_word64 *)at)->v = v;
}

/* What the guest wrote before it stored this is seen by what is read after. */
static GUEST_RACE uint16_t
guest_load16(const void *at)
{
	return __atomic_load_n(&((const struct guest_aligned16 *)at)->v, __ATOMIC_ACQUIRE);
}

static GUEST_RACE uint64_t
guest_load64(const void *at)
{
	return __atomic_load_n(&((const struct guest_aligned64 *)at)->v, __ATOMIC_ACQUIRE);
}

/* What was written before is seen by a guest that sees this. */
static GUEST_RACE void
guest_store64(void *at, uint64_t v)
{
	__atomic_store_n(&((struct guest_aligned64 *)at)->v, v, __ATOMIC_RELEASE);
}

/*
 * Copies len bytes, one side or both being guest memory. Two ports of one guest may make the two
 * overlap: then the content is that guest's own fault, but nothing else is touched.
 */
static GUEST_RACE void
guest_copy(uint8_t *to, const uint8_t *from, uint32_t len)
{
#ifdef GUEST_TSAN
	for (uint32_t i = 0; i < len; i++)
		((volatile uint8_t *)to)[i] = ((const volatile uint8_t *)from)[i];
#else
	memmove(to, from, len);
#endif
}

/*
 * The same for heads, len <= 128: no call, no loop, hardly a branch. Overlapping moves read some
 * bytes twice; nobody has looked at them in between.
 */
static GUEST_RACE void
guest_copy_head(uint8_t *to, const uint8_t *from, uint32_t len)
{
#ifdef GUEST_TSAN
	guest_copy(to, from, len);
#else
	if (len > 96) {
		memcpy(to, from, 64);
		memcpy(to + len - 64, from + len - 64, 64);
	} else if (len >= 64) {
		memcpy(to, from, 64);
		memcpy(to + len - 32, from + len - 32, 32);
	} else if (len >= 32) {
		memcpy(to, from, 32);
		memcpy(to + len - 32, from + len - 32, 32);
	} else if (len >= 16) {
		memcpy(to, from, 16);
		memcpy(to + len - 16, from + len - 16, 16);
	} else {
		memmove(to, from, len);
	}
#endif
}

#endif
