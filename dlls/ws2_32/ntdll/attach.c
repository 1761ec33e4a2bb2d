/* The process comes to its server. */
#include "base/ws2_32_private.h"
#include "ntdll/hooks.h"
#include "ws2host/interface.h"

int ws2_attach( void )
{
    struct ws2_attach_params attach = { .windows_pid = GetCurrentProcessId(),
                                        .size = sizeof( attach ),
                                        .build = WS2_INTERFACE,
                                        .tracing = ws2_pointer( (const void *)&ws2_tracing ),
                                        .counts = ws2_pointer( &ws2_counts ) };
    int error = ws2_call( attach, &attach );

    if ( error ) return error;
    hooks_install();
    return 0;
}
