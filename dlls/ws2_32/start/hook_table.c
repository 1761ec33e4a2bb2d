/* Which function is the hook of which system call: a line of HOOKS each (ntdll/hooks.h), and a function hook_NAME in the file of its
 * concept. */
#include "start/hook_table.h"

const struct hook hook_table[HOOK_COUNT] = {
#define X( name, parameters ) { #name, hook_##name, (void **)&nt_##name },
    HOOKS( X )
#undef X
};

const struct hook patched_function = { "CreateFileW", patch_CreateFileW, (void **)&kernel_CreateFileW };
