/*
 * The rules of names, addresses and passwords, as the contract words them. Each
 * function gives the text of the first rule that fails, NULL when all hold.
 * "has already been taken" is the database's to say. Pure; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_ACCOUNT_RULES_H
#define CHATD_ACCOUNT_RULES_H

#include "chatd/text.h"

#define RULE_BLANK "can't be blank"
#define RULE_TAKEN "has already been taken"

const char *rule_username(struct text t);
/* Names are stored trimmed: give the trimmed text. */
const char *rule_name(struct text t);
const char *rule_email(struct text t);
const char *rule_password(struct text t);

#endif
