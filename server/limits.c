/*
 * Limits: what the program that started the server may have of files and memory, and so the server.
 *
 * The first program of a prefix must not decide for all: where a later one may have more than a server that has too little,
 * the server gives way, and that program starts the next, which takes the table over. A server that cannot be at all says
 * which limit it is and what to do.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include "server.h"

#define FILES_WANTED 4096u
#define FILES_NEEDED 64u
#define MEMORY_NEEDED 0x20000000u /* of addresses: the table, and the server's own records */

static const struct limit
{
    int resource;
    const char *name, *raise;
    rlim_t needed, wanted;
} limits[] = {
    { RLIMIT_NOFILE, "open files", "ulimit -n", FILES_NEEDED, FILES_WANTED },
    { RLIMIT_FSIZE, "file size", "ulimit -f", WS2_TABLE_SIZE, WS2_TABLE_SIZE },
    { RLIMIT_AS, "addresses", "ulimit -v", MEMORY_NEEDED, MEMORY_NEEDED },
};

static int giving_way;

int limits_raise( void )
{
    int result = 0;

    for ( size_t i = 0; i < sizeof( limits ) / sizeof( limits[0] ); i++ )
    {
        struct rlimit limit;

        if ( getrlimit( limits[i].resource, &limit ) ) continue;
        if ( limit.rlim_cur < limit.rlim_max )
        {
            limit.rlim_cur = limit.rlim_max;
            setrlimit( limits[i].resource, &limit );
        }
        if ( limit.rlim_max >= limits[i].needed ) continue;
        fprintf( stderr,
                 "ws2server: the limit of %s is %llu here, and too small: %llu are needed; raise it (%s) for the first "
                 "Windows program\n",
                 limits[i].name, (unsigned long long)limit.rlim_max, (unsigned long long)limits[i].needed,
                 limits[i].raise );
        result = -1;
    }
    return result;
}

int limits_give_way( pid_t pid )
{
    for ( size_t i = 0; i < sizeof( limits ) / sizeof( limits[0] ); i++ )
    {
        struct rlimit own, other;

        if ( getrlimit( limits[i].resource, &own ) || own.rlim_cur >= limits[i].wanted ) continue;
        if ( !prlimit( pid, limits[i].resource, NULL, &other ) && other.rlim_max > own.rlim_max ) giving_way = 1;
    }
    return giving_way;
}

int limits_are_left( void ) { return giving_way; }
