/*
 * Random numbers that need no secrecy of their own: jitter. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_RANDOM_H
#define GATEWAY_RANDOM_H

#include <sodium.h>
#include <stdint.h>

/* 0 .. below-1; 0 when below is 0. */
static inline uint32_t
random_below(uint32_t below)
{
	return below > 1 ? randombytes_uniform(below) : 0;
}

#endif
