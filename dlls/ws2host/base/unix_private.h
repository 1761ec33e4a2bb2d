/* The host half of the bridge, inside. */
#ifndef WS2HOST_UNIX_PRIVATE_H
#define WS2HOST_UNIX_PRIVATE_H

#include <stdint.h>
#include "ws2host/unixcall.h"
#include "ws2host/winsock_codes.h"

typedef int32_t NTSTATUS;

/* One function per call, in the file where its concept lives. */
#define X( name ) NTSTATUS unix_##name( void *args );
WS2_CALLS( X )
#undef X

/* Winsock code of an errno value (errors.c). */
int32_t winsock_error( int error );

/* Of a large array of which a process uses little: not static, it stands behind all other variables, so that those are few pages
 * together (unix_attach has them made at once). */
#define WS2_SPARSE __attribute__( ( common ) )

#endif
