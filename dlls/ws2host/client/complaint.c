/*
 * What goes wrong with the server, told to a person: one line a process, on stderr, with what to do about it.
 *
 * Guarded by connection's mutex, but for the last two, which any thread may call.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include "client/client_private.h"

static _Atomic int complained;

void complaint_forget( void ) { complained = 0; }

void complaint_say( const char *format, ... )
{
    char line[1024];
    va_list args;
    int length;

    if ( complained ) return;
    complained = 1;
    va_start( args, format );
    length = snprintf( line, sizeof( line ), "ws2host: " );
    length += vsnprintf( line + length, sizeof( line ) - length - 1, format, args );
    va_end( args );
    if ( length > (int)sizeof( line ) - 2 ) length = sizeof( line ) - 2;
    line[length++] = '\n';
    while ( write( 2, line, length ) < 0 && errno == EINTR ) continue;
}

const char *complaint_advice( int error )
{
    switch ( error )
    {
    case EMFILE:
    case ENFILE: return "raise the limit of open files (ulimit -n) or end some programs";
    case ENOMEM: return "raise the memory limit (ulimit -v) or end some programs";
    case ENOSPC:
    case EDQUOT: return "make room there or set WS2HOST_DIR";
    default: return "set WS2HOST_DIR to a directory of this user's";
    }
}

void connection_port_refused( uint32_t port )
{
    complaint_say(
        "the system lets this user bind no port below 1024, as %u is; lower net.ipv4.ip_unprivileged_port_start "
        "(sysctl) to let all users do as on Windows",
        port );
}

void connection_out_of_descriptors( void )
{
    complaint_say( "this program has as many open files as it may have, and gets no more sockets; %s",
                   complaint_advice( EMFILE ) );
}
