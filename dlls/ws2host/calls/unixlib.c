/* The table of calls that the loader looks for in ws2host.so; the order is that of WS2_CALLS. */
#include "base/caller.h"
#include "base/unix_private.h"

#define EXPORT __attribute__( ( visibility( "default" ) ) )

EXPORT NTSTATUS ( *const __wine_unix_call_funcs[] )( void * ) = {
#define X( name ) unix_##name,
    WS2_CALLS( X )
#undef X
};

#ifndef caller_width
/* The same for 32-bit programs in a 64-bit host process: the parameters are, what they point to goes by caller_width. */
static NTSTATUS wow64_attach( void *args )
{
    caller_width = 4;
    return unix_attach( args );
}

EXPORT NTSTATUS ( *const __wine_unix_call_wow64_funcs[] )( void * ) = {
#define X( name ) ws2_call_##name == ws2_call_attach ? wow64_attach : unix_##name,
    WS2_CALLS( X )
#undef X
};
#endif
