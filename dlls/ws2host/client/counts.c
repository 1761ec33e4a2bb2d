/*
 * The page of the table with the process's counts is mapped in place of a page of the PE side's, which stays for good: both
 * halves write to it as to memory of their own, whatever the program's width is.
 */
#include "base/host_counts.h"
#include "base/host_mutex.h"
#include "client/connection.h"
#include "client/counts.h"
#include "client/table_map.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct ws2_counts *shown;

/* Those of one half: what was counted in a page before it was the table's. */
static void add( struct ws2_counts *page, const struct ws2_counts *before, unsigned int first, unsigned int end )
{
    for ( unsigned int i = first; i < end; i++ )
        for ( unsigned int j = 0; j < WS2_COUNTS; j++ ) page->lines[i].values[j] += before->lines[i].values[j];
}

void counts_show( struct ws2_counts *page )
{
    struct ws2_counts before;
    sigset_t signals;

    if ( (uintptr_t)page % sizeof( *page ) ) return;
    host_mutex_lock( &mutex, &signals );
    if ( page != shown )
    {
        __builtin_memcpy( &before, page, sizeof( before ) );
        if ( table_map_counts( connection_client_index(), page ) )
        {
            if ( !shown )
            {
                /* of a process that had it before nothing is left */
                __builtin_memset( page, 0, sizeof( *page ) );
                add( page, host_counts, 0, WS2_COUNT_HOST_LINES );
            }
            add( page, &before, WS2_COUNT_HOST_LINES, WS2_COUNT_LINES );
            shown = page;
            host_counts = page;
        }
    }
    host_mutex_unlock( &mutex, &signals );
}
