/* A look into other processes, of either width: their process environment block and what hangs on it. */
#ifndef OTHER_PROCESS_H
#define OTHER_PROCESS_H

#include <windows.h>

/* The offsets of what is read, by width. */
struct process_layout
{
    unsigned int pointer;             /* bytes of one */
    unsigned int loader, parameters;  /* of the block: PEB_LDR_DATA, RTL_USER_PROCESS_PARAMETERS */
    unsigned int modules, base, name; /* the list of modules; LDR_DATA_TABLE_ENTRY's address and name */
    unsigned int variables;           /* of the parameters: the environment */
};

struct other_process
{
    HANDLE handle;
    BOOL wide;  /* its host is one of 64 bits */
    BOOL other; /* of the other width than this one */
    const struct process_layout *layout;
    UINT64 block; /* 0: not known where */
};

/* FALSE: there is none, or none that may be read. */
BOOL other_process_open( DWORD pid, struct other_process *process );
void other_process_close( struct other_process *process );

/* All of it or FALSE. */
BOOL other_process_read( const struct other_process *process, UINT64 address, void *buffer, UINT32 size );
/* What stands there, 0 where nothing can be read. */
UINT64 other_process_pointer( const struct other_process *process, UINT64 address );

#define OTHER_PROCESS_VALUE 4096u /* characters of a variable's value, with its zero */

/* A variable of its environment: FALSE where it has none of that name, or one of more than `size` characters, with the zero, or
 * OTHER_PROCESS_VALUE. */
BOOL other_process_variable( const struct other_process *process, const WCHAR *name, WCHAR *value, unsigned int size );

#endif
