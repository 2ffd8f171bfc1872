/*
 * The people and chats of a load test, written straight into the database: users
 * 0..N-1 with one token each; private chats in a ring (each of the first
 * `active` users has one with the `chats_each`/2 next and previous ones, the
 * others are there for that; with chats_each 1 the pairs 2j and 2j+1); one group
 * of the first `group` users; `history` messages a private chat, one second
 * apart, its two members in turn. All ids follow from the world's number, so
 * that nothing need be asked afterwards, and a stand-in needs no database at
 * all.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/uuid.h"

#define WORLD_TOKEN_LEN 43

struct world {
	uint32_t number;
	uint32_t users;
	uint32_t active;
	uint32_t chats_each;
	uint32_t group;
	uint32_t history;
};

/* The token's text and a NUL. Returns `token`. */
char *world_token(uint32_t world, uint32_t user,
    char token[WORLD_TOKEN_LEN + 1]);
/* The chat of a user with the `step`th next one (0: of the pair) as text and a
 * NUL. Returns `text`. */
char *world_private_chat(uint32_t world, uint32_t user, uint32_t step,
    char text[UUID_TEXT_LEN + 1]);
char *world_group_chat(uint32_t world, char text[UUID_TEXT_LEN + 1]);

struct uuid world_user(uint32_t world, uint32_t user);
/* False when it is no user of that world. */
bool world_user_index(uint32_t world, const struct uuid *id,
    uint32_t *user_r);
/* Both members of a private chat; false when it is none of the world. */
bool world_members(const struct world *w, const struct uuid *chat,
    struct uuid members[2]);

/* Exits with a message when the database refuses. */
void world_create(const struct world *w, const char *conninfo);

#endif
