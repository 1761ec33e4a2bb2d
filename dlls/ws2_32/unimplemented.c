/*
 * The exports that have no implementation yet: each fails with WSAEOPNOTSUPP and says so once in the log.
 * A function leaves this list when its own room has it; README.md shows what is left.
 */
#include <stdint.h>

void ws2_log( const char *format, ... );
__declspec( dllimport ) void __stdcall SetLastError( unsigned long error );

#define WSAEOPNOTSUPP 10045

/* name, what it returns */
#define SOCKETS \
    X( ProcessSocketNotifications, -1 ) \

#define X( name, result ) \
    intptr_t name( void ) \
    { \
        static int said; \
        if (!said++) ws2_log( #name " is not implemented" ); \
        SetLastError( WSAEOPNOTSUPP ); \
        return result; \
    }
SOCKETS
