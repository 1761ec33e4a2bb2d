/* The process comes to its server. */
#include "base/ws2_32_private.h"
#include "ntdll/hooks.h"
#include "ws2host/interface.h"

int ws2_attach( void )
{
    static volatile BOOL attached;
    struct ws2_attach_params attach = { .windows_pid = GetCurrentProcessId(),
                                        .size = sizeof( attach ),
                                        .build = WS2_INTERFACE,
                                        .tracing = ws2_pointer( (const void *)&ws2_tracing ),
                                        .counts = ws2_pointer( &ws2_counts ) };
    struct ws2_attach_params begin = attach;
    HMODULE self;
    int error;

    /* the host half writes to this DLL's memory from now on */
    if ( !hooks_complete )
        GetModuleHandleExW( GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                            (WCHAR *)&ws2_counts, &self );
    /* while the server answers; without one, or with one of another kind, only when there is one */
    begin.begin = !attached;
    if ( begin.begin && !ws2_call( attach, &begin ) && begin.begin ) hooks_install();
    if ( ( error = ws2_call( attach, &attach ) ) ) return error;
    hooks_install();
    attached = TRUE;
    return 0;
}
