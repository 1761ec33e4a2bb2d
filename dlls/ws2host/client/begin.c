/*
 * A greeting ahead: where a server listens it is greeted as soon as a process begins to attach, and its answer is taken
 * when the process has done what it has to do by itself. What goes wrong here is nobody's affair: whoever attaches then finds no
 * greeting, or that the server has hung up, and sees to it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "client/client_private.h"
#include "client/directory.h"
#include "ws2host/message.h"

void begin_request( struct ws2_request *request, uint32_t windows_pid, uint64_t instance )
{
    *request = ( struct ws2_request ){ .type = WS2_HELLO,
                                       .version = WS2_LAYOUT_VERSION,
                                       .windows_pid = windows_pid,
                                       .flags = !instance,
                                       .instance = instance };
}

struct begun *begin_greet( uint32_t windows_pid )
{
    char path[4096];
    const int directory = directory_open( 0, path, sizeof( path ) ),
              fd = directory >= 0 ? exchange_connect( directory, path ) : -1;
    struct ws2_request request;
    struct begun *result;

    begin_request( &request, windows_pid, 0 );
    if ( fd >= 0 && ( result = malloc( sizeof( *result ) + strlen( path ) + 1 ) ) )
    {
        if ( message_send( fd, &request, sizeof( request ), NULL, 0, MSG_DONTWAIT ) == sizeof( request ) )
        {
            result->fd = fd;
            result->directory = directory;
            strcpy( result->path, path );
            return result;
        }
        free( result );
    }
    if ( fd >= 0 ) close( fd );
    if ( directory >= 0 ) close( directory );
    return NULL;
}
