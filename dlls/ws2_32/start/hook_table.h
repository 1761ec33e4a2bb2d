/* The table of hooks (hook_table.c). */
#ifndef HOOK_TABLE_H
#define HOOK_TABLE_H

#include "ntdll/hooks.h"

extern const struct hook hook_table[HOOK_COUNT];
extern const struct hook patched_function;

#endif
