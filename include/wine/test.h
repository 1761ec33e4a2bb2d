/*
 * winetest: the test interface that Wine's programs made well known, written anew for this project.
 *
 * A test file holds one START_TEST( name ) and states what Windows does by ok( condition, format, ... ). testmain.c is the
 * home of the functions below. Any thread may call any of them: the counters are interlocked, context and todo state
 * belong to the calling thread.
 *
 * WINETEST_DEBUG: 0 prints failures and the summary only, 1 (default) adds traces and todos, 2 adds successes.
 */
#ifndef WINE_TEST_H
#define WINE_TEST_H

#include <stdarg.h>
#include <stdlib.h>
#include <winsock2.h>
#include <windows.h>

#define WINETEST_PRINTF( string, first ) __attribute__( ( __format__( __gnu_printf__, string, first ) ) )

extern int winetest_debug;            /* WINETEST_DEBUG */
extern int winetest_interactive;      /* WINETEST_INTERACTIVE: a person is there to look */
extern const char *winetest_platform; /* "wine" or "windows" */

void winetest_set_location( const char *file, int line );
int winetest_ok( int condition, const char *format, ... ) WINETEST_PRINTF( 2, 3 );
void winetest_skip( const char *format, ... ) WINETEST_PRINTF( 1, 2 );
void winetest_win_skip( const char *format, ... ) WINETEST_PRINTF( 1, 2 );
void winetest_trace( const char *format, ... ) WINETEST_PRINTF( 1, 2 );
void winetest_push_context( const char *format, ... ) WINETEST_PRINTF( 1, 2 );
void winetest_pop_context( void );
void winetest_start_todo( int is_todo );
int winetest_loop_todo( void );
void winetest_end_todo( void );
int winetest_broken( int condition );

/* argv of the program, argv[1] being the test's name; what a test needs to start itself as its own child */
int winetest_get_mainargs( char ***argv );
/* Waits for a child that is a run of this program and adds its failures to ours. */
void winetest_wait_child_process( HANDLE process );
#define wait_child_process winetest_wait_child_process

#define START_TEST( name ) void func_##name( void )

#define ok_( file, line ) winetest_set_location( file, line ), (void)winetest_ok
#define skip_( file, line ) winetest_set_location( file, line ), winetest_skip
#define win_skip_( file, line ) winetest_set_location( file, line ), winetest_win_skip
#define trace_( file, line ) winetest_set_location( file, line ), winetest_trace

#define ok ok_( __FILE__, __LINE__ )
#define skip skip_( __FILE__, __LINE__ )
#define win_skip win_skip_( __FILE__, __LINE__ )
#define trace trace_( __FILE__, __LINE__ )

/* Checks in the statement that follows are expected to fail on Wine; one that succeeds is a failure. */
#define todo_wine_if( condition ) \
    for ( winetest_start_todo( ( condition ) && winetest_is_wine() ); winetest_loop_todo(); winetest_end_todo() )
#define todo_wine todo_wine_if( 1 )

/* True for results that only old or broken Windows versions give: never accepted on Wine. */
#define broken( condition ) winetest_broken( condition )
#define winetest_is_wine() ( winetest_platform[0] == 'w' && winetest_platform[3] == 'e' )

#endif
