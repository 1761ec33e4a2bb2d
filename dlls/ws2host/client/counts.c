/*
 * The page of the table with the process's counts is mapped once for the host half and, in place of a page of the PE side's,
 * once for that: both write to it as to memory of their own, whatever the program's width is.
 */
#include "base/host_counts.h"
#include "base/host_mutex.h"
#include "client/connection.h"
#include "client/counts.h"
#include "client/table_map.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct ws2_counts *own, *shown;

/* What was counted before there was the page; of a process that had it before nothing is left. */
static void begin( struct ws2_counts *page )
{
    const struct ws2_counts *before = host_counts;

    for ( unsigned int i = 0; i < WS2_COUNT_LINES; i++ )
        for ( unsigned int j = 0; j < WS2_COUNTS; j++ ) page->lines[i].values[j] = before->lines[i].values[j];
    own = page;
    host_counts = page;
}

void counts_show( struct ws2_counts *page )
{
    struct ws2_counts before, *mapped;
    sigset_t signals;

    if ( (uintptr_t)page % sizeof( *page ) ) return;
    __builtin_memcpy( &before, page, sizeof( before ) );
    host_mutex_lock( &mutex, &signals );
    if ( !own && ( mapped = table_map_counts( connection_client_index(), NULL ) ) ) begin( mapped );
    if ( own && page != shown && ( mapped = table_map_counts( connection_client_index(), page ) ) )
    {
        shown = mapped;
        for ( unsigned int i = WS2_COUNT_HOST_LINES; i < WS2_COUNT_LINES; i++ )
            for ( unsigned int j = 0; j < WS2_COUNTS; j++ ) page->lines[i].values[j] += before.lines[i].values[j];
    }
    host_mutex_unlock( &mutex, &signals );
}
