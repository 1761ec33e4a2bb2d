/* The habits of the loader's own DLLs; see loader_dlls.c. */
#ifndef LOADER_DLLS_H
#define LOADER_DLLS_H

#include "base/ws2_32_private.h"

BOOL loader_dll_calls( const void *caller );

/* May this call look names up? For exported functions only: it asks who called the function that it stands in. */
#define names_started() ( ws2_started || loader_dll_calls( __builtin_return_address( 0 ) ) )

/* getaddrinfo's wildcard addresses in the order that the caller can use. */
void loader_dll_order( const void *caller, struct addrinfo **list );

#endif
