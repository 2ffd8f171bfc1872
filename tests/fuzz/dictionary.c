/*
 * Prints a libFuzzer dictionary of what clients say, expanded from contract.def:
 * types, field names, formats, and the few texts that every frame has.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "common/contract.h"

static void
print_word(const char *word)
{
	putchar('"');
	for (; *word != '\0'; word++) {
		if (*word == '"' || *word == '\\') {
			putchar('\\');
		}
		putchar(*word);
	}
	puts("\"");
}

static void
print_key(const char *key)
{
	char word[128];

	snprintf(word, sizeof(word), "\"%s\":", key);
	print_word(word);
}

static void
print_row(const struct contract_row *row)
{
	char word[128];

	snprintf(word, sizeof(word), "{\"type\":\"%s\"", row->name);
	print_word(word);
	print_word(row->name);
	for (size_t i = 0; row->fields != NULL && row->fields[i].path != NULL;
	    i++) {
		const char *dot = strrchr(row->fields[i].path, '.');

		print_key(dot != NULL ? dot + 1 : row->fields[i].path);
	}
}

int
main(void)
{
	static const char *const more[] = { "\"request_id\":", "\"last_seq\":",
		"\"01890a5d-ac96-774b-bcce-b302099a8057\"", "null", "true",
		"false", "\\u0000", "\\ud83d\\ude00", "1e308", "-0",
		"9223372036854775807" };
	const struct contract_row *row;

	for (size_t i = 0; (row = contract_row_at(i)) != NULL; i++) {
		print_row(row);
	}
	for (int f = 0; f < FORMAT_COUNT; f++) {
		print_word(format_name((enum message_format)f));
	}
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		print_word(more[i]);
	}
	return 0;
}
