/*
 * ws2ctl inside: what its commands share. Each command is one function that returns the exit status: 0; 1 when something
 * is not as asked, 2 for a wrong command line, both after a sentence; -1 for the usage to be shown. One thread; what the
 * program reads it keeps.
 */
#ifndef WS2CTL_H
#define WS2CTL_H

#include <limits.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include "client/connection.h"
#include "client/directory.h"

#ifndef PKGLIBDIR
#define PKGLIBDIR "/usr/local/lib/ws2host"
#endif
/* what configure found, and what it was given */
#ifndef WS2_WINE
#define WS2_WINE "wine"
#endif
#ifndef WS2_WINE_GIVEN
#define WS2_WINE_GIVEN ""
#endif
#ifndef WS2_VERSION
#define WS2_VERSION "unknown"
#endif

/* ws2ctl as it was called, for what a person is told to type: the shell may not find it by its name alone. */
extern const char *self;
/* Writes "ws2ctl: " and a sentence to stderr; 1. */
int fail( const char *format, ... ) __attribute__( ( format( printf, 1, 2 ) ) );
/* The same of a file that cannot be written, by errno, with what to do; returns 1. */
int fail_to_write( const char *path );
int is_no_room( int error ); /* an errno value */

/* --- main.c: the command line */
struct options
{
    int as_json;
    int copy;         /* copies instead of links */
    int quiet;        /* only what goes wrong */
    char **arguments; /* behind the command, NULL at the end */
};

/* --- kernel.c: the addresses and states of the host's sockets, by cookie */
#define FAMILY_INET6 23 /* as Windows numbers it */
#define ADDRESS_SIZE ( INET6_ADDRSTRLEN + 10 )

struct kernel_socket
{
    uint64_t cookie;
    char local[ADDRESS_SIZE], peer[ADDRESS_SIZE]; /* "-" for none */
    char name[112];                               /* of an AF_UNIX socket */
    unsigned char state, timer, retransmits;
    uint32_t receive_queue, send_queue, timer_ms;
};

/* -1 when it does not tell all of them. */
int kernel_load( void );
/* NULL for no state of TCP. */
const char *kernel_state_name( unsigned int state );
const struct kernel_socket *kernel_find( uint64_t cookie );
/* "address:port", "-" for none of both when none_if_empty. family is the host's, port in host order. */
void kernel_format_address( char *text, int family, const void *address, unsigned int port, int none_if_empty );

/* --- server.c: the server of the prefix, looked at and never started */
struct server
{
    int fd;
    void *table;          /* read only, NULL without a server */
    int memfd;            /* the table's */
    char directory[4096]; /* where it is, or would be */
};
extern struct server server;

/* NULL when it is found, or was; else a sentence that says what is in the way. */
const char *server_find( void );
/* The same: 0, or 1 after the sentence. */
int server_connect( void );
void server_close( void );

extern struct ws2_row *rows;
extern size_t row_count;
int server_load_rows( void );

/* --- library.c: what was built or installed */
/* The folder with x86_64-windows and ws2server in it. */
const char *library_directory( void );
/* A copy of a file, or a link to it, whole or not at all; -1 and errno. */
int library_copy( const char *from, const char *to );
/* The first half of library_copy: a rename of what lies in temporary, of size bytes, to the other name is left to do. */
int library_stage( const char *from, const char *to, char *temporary, size_t size );
int library_link( const char *target, const char *path );
int library_same( const char *a, const char *b );

/* --- prefix.c: a prefix and the DLLs in it */
/* Its absolute path: WINEPREFIX, or .wine in the user's home. 0, or 1 after a sentence. */
int prefix_find( char *path, size_t size );
/* 0 when it exists and is this user's. */
int prefix_check( const char *prefix );
int prefix_is_32_bit( const char *prefix );

enum prefix_files
{
    PREFIX_NONE, /* not ws2host's */
    PREFIX_SOME,
    PREFIX_OLD, /* another build's */
    PREFIX_ALL
};
enum prefix_files prefix_state( const char *prefix );
int prefix_place( const char *prefix );
int prefix_restore( const char *prefix );

/* --- registry.c: the prefix's order of loading for ws2_32 */
#define REGISTRY_ORDER "native,builtin"
/* The value on disk; "" for none. */
void registry_read( const char *prefix, char *value, size_t size );
/* A loader's server runs for the prefix. */
int registry_in_use( const char *prefix );
/* Returns when it is on disk. "" removes the value. */
int registry_write( const char *prefix, const char *value );

/* --- loader_choice.c: which loader, of those that are installed */
/* A name, to be found in PATH, or a path; what is to be started. */
const char *loader_default( void );
/* Its path behind scripts, in PATH_MAX bytes; 0 when there is none. */
int loader_program( char *program );
/* Its server's name or path. */
const char *loader_server( void );
/* Where a program is, by path, or by name in PATH, links resolved; found holds PATH_MAX. 0 when it is not. */
int loader_search( const char *name, char *found );

/* --- loader.c: a loader's own library folder */
/* folder holds PATH_MAX. wine: a loader, by name or path, or the top of its tree; 0 when it has no such folder. */
int loader_folder( const char *wine, char *folder );

/* What `wine --version` says, "8.0 (Debian ...)"; 0 when it does not run. */
int loader_version( const char *wine, char *version, size_t size );

enum loader_state
{
    LOADER_NONE, /* the bridge is not there */
    LOADER_OLD,  /* not all of it, or another build's */
    LOADER_ALL
};
enum loader_state loader_state( const char *folder );
/* Says what plain `wine` needs to use an enabled prefix. */
void loader_advise( void );
/* Whether plain `wine` finds the bridge: in the loader's own folder, or by WINEDLLPATH. */
int loader_finds_bridge( void );

/* --- status.c */
struct status
{
    uint32_t server_pid, processes, sockets, shared, tickets;
    uint32_t descriptors, descriptor_limit, memory_kb; /* the server's; 0 where /proc does not tell */
    int server_replaced;                               /* it runs a program that is installed no more */
};
/* Of the server that was found. */
void status_load( struct status *status );

/* --- commands */
int command_status( const struct options *options );
int command_stats( const struct options *options );
int command_trace( const struct options *options );
int command_doctor( const struct options *options );
int command_list( const struct options *options );
int command_watch( const struct options *options );
int command_enable( const struct options *options );
int command_disable( const struct options *options );
int command_place( const struct options *options );
int command_loader( const struct options *options );
int command_install_loader( const struct options *options );
int command_remove_loader( const struct options *options );

#endif
