/* The table of calls that the loader looks for in ws2host.so; the order is that of WS2_CALLS. */
#include "base/unix_private.h"

#define EXPORT __attribute__( ( visibility( "default" ) ) )

EXPORT NTSTATUS ( *const __wine_unix_call_funcs[] )( void * ) = {
#define X( name ) unix_##name,
    WS2_CALLS( X )
#undef X
};
