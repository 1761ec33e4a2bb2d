/*
 * The benchmark program: one source, built for Windows and for the host.
 *
 *     bench LOAD_PORT FILE     reads lines "CASE MILLISECONDS" from standard input, answers each with "CASE NANOSECONDS"
 *                              (an operation), or "CASE error NUMBER"
 *     bench start              WSAStartup and nothing else
 *     bench first-connect PORT tells PORT how long it took from WSAStartup to there
 *     bench hold COUNT         prints "held N" when it has that many sockets, goes when standard input ends
 *     bench list               the cases
 *
 * It stays between cases, so that a runner can alternate between builds of it without paying for a start each time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"

static int run_operations( const struct bench_case *c, double nanoseconds, double *per_operation )
{
    double begin = port_now(), spent;
    uint64_t count = 0;
    int error;

    do {
        for ( unsigned int i = 0; i < c->batch; i++ )
            if ( ( error = c->operate() ) ) return error;
        count += c->batch;
        spent = port_now() - begin;
    } while ( spent < nanoseconds );
    *per_operation = spent / count / c->weight;
    return 0;
}

static void run_case( const struct bench_case *c, double nanoseconds )
{
    double per_operation = 0;
    int error = 0;

    bench_failure = 0;
    if ( c->measure ) error = ( per_operation = c->measure( nanoseconds ) ) < 0;
    else if ( !( error = c->begin( c->argument ) ) )
    {
        /* a tenth of the time to warm up */
        error = run_operations( c, nanoseconds / 10, &per_operation );
        if ( !error ) error = run_operations( c, nanoseconds, &per_operation );
        c->end();
    }
    if ( error ) printf( "%s error %d\n", c->name, bench_failure );
    else printf( "%s %.1f\n", c->name, per_operation );
    fflush( stdout );
}

static const struct bench_case *find_case( const char *name )
{
    const struct bench_case *c;

    for ( c = bench_cases; c->name; c++ )
        if ( !strcmp( c->name, name ) ) return c;
    return NULL;
}

static int hold( unsigned int count )
{
    unsigned int held;

    for ( held = 0; held < count; held++ )
        if ( socket( AF_INET, SOCK_STREAM, IPPROTO_TCP ) == INVALID_SOCKET ) break;
    printf( "held %u error %d\n", held, held < count ? port_error() : 0 );
    fflush( stdout );
    while ( getchar() != EOF ) continue;
    return 0;
}

int main( int argc, char **argv )
{
    char line[128], name[64];
    int milliseconds;

    if ( argc < 2 ) return 2;
    if ( !strcmp( argv[1], "pass-target" ) ) return port_pass_target( argc, argv );
    if ( !strcmp( argv[1], "list" ) )
    {
        for ( const struct bench_case *c = bench_cases; c->name; c++ ) puts( c->name );
        return 0;
    }
    if ( !strcmp( argv[1], "idle" ) ) return 0;
    if ( argc > 2 && !strcmp( argv[1], "first-connect" ) ) return bench_first_connect_run( atoi( argv[2] ) );
    port_begin();
    if ( !strcmp( argv[1], "start" ) ) return 0;
    if ( !strcmp( argv[1], "hold" ) ) return argc > 2 ? hold( atoi( argv[2] ) ) : 2;
    if ( argc < 3 ) return 2;
    bench_load_port = atoi( argv[1] );
    bench_file = argv[2];
    puts( "ready" );
    fflush( stdout );
    while ( fgets( line, sizeof( line ), stdin ) )
    {
        const struct bench_case *c;

        if ( sscanf( line, "%63s %d", name, &milliseconds ) != 2 ) continue;
        if ( ( c = find_case( name ) ) ) run_case( c, milliseconds * 1e6 );
        else
        {
            printf( "%s error 0\n", name );
            fflush( stdout );
        }
    }
    return 0;
}
