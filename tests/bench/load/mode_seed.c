/*
 * Makes a world and ends; other runs use it by its number (--world).
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load/load.h"

const struct mode mode_seed = {
	.name = "seed",
	.meaning = "makes the world (--database, --world) and ends",
};
