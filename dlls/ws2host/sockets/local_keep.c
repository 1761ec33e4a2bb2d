/*
 * Nodes of AF_UNIX sockets outlive the server directory: see local_keep.h.
 *
 * A mutex guards the list; it is held with signals blocked, and nothing is taken under it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>
#include "base/host_mutex.h"
#include "sockets/local_keep.h"

struct kept
{
    LIST_ENTRY( kept ) entry;
    const struct descriptor *descriptor; /* compared only */
    unsigned long long number;
    int node;
    char given[];
};

static LIST_HEAD(, kept ) list;
static _Atomic unsigned int count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void local_keep( const struct descriptor *descriptor, const char *node, unsigned long long number, const char *given )
{
    const size_t size = strlen( given ) + 1;
    struct kept *kept = malloc( sizeof( *kept ) + size );
    sigset_t before;

    if ( !kept ) return;
    if ( ( kept->node = open( node, O_PATH | O_NOFOLLOW | O_CLOEXEC ) ) < 0 )
    {
        free( kept );
        return;
    }
    kept->descriptor = descriptor;
    kept->number = number;
    memcpy( kept->given, given, size );
    host_mutex_lock( &mutex, &before );
    LIST_INSERT_HEAD( &list, kept, entry );
    atomic_fetch_add( &count, 1 );
    host_mutex_unlock( &mutex, &before );
}

void local_forget( const struct descriptor *descriptor )
{
    struct kept *kept;
    sigset_t before;

    if ( !atomic_load( &count ) ) return;
    host_mutex_lock( &mutex, &before );
    LIST_FOREACH( kept, &list, entry )
    if ( kept->descriptor == descriptor ) break;
    if ( kept )
    {
        LIST_REMOVE( kept, entry );
        atomic_fetch_sub( &count, 1 );
    }
    host_mutex_unlock( &mutex, &before );
    if ( !kept ) return;
    close( kept->node );
    free( kept );
}

int local_kept_name( unsigned long long number, char *given, size_t size )
{
    const struct kept *kept;
    size_t length = 0;
    sigset_t before;

    if ( !atomic_load( &count ) ) return -1;
    host_mutex_lock( &mutex, &before );
    LIST_FOREACH( kept, &list, entry )
    if ( kept->number == number ) break;
    if ( kept )
    {
        length = strlen( kept->given );
        memcpy( given, kept->given, length < size ? length : size );
    }
    host_mutex_unlock( &mutex, &before );
    return kept ? 0 : -1;
}
