/* The functions that programs ask for by GUID: SIO_GET_EXTENSION_FUNCTION_POINTER. A new one is a line in extensions.c.
 * Registered I/O comes as a table of functions: SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER. */
#ifndef EXTENSIONS_H
#define EXTENSIONS_H

#include <windows.h>

/* NULL for a GUID that stands for none. */
void *extensions_find( const GUID *guid );
const void *extensions_find_table( const GUID *guid, DWORD *size );

#endif
