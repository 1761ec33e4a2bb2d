/* A case of the benchmark: what is measured is `operate`, one operation a call. */
#ifndef BENCH_H
#define BENCH_H

#include "port.h"

struct bench_case
{
    const char *name;
    int ( *begin )( int argument );
    int ( *operate )( void ); /* like the others: 0, or an error that ends the case */
    void ( *end )( void );
    int argument;
    unsigned int batch;                        /* operations between two looks at the clock */
    unsigned int weight;                       /* what one call of operate counts for */
    double ( *measure )( double nanoseconds ); /* a case that measures by itself: ns an operation, < 0 for an error */
};

extern const struct bench_case bench_cases[];
extern int bench_failure;      /* error of the last failed call */
extern int bench_load_port;    /* 127.0.0.1: where the load generator listens */
extern const char *bench_file; /* 100 MB */
#define BENCH_FILE_SIZE 104857600

/* cases.c; sockets of loopback, connected or bound to themselves */
int bench_listen( SOCKET *listener, int *port );
int bench_connect( int port, SOCKET *s );
int bench_pair( SOCKET *client, SOCKET *server );
int bench_datagram( SOCKET *s );

/* cases_two.c */
int bench_ping_begin( int event );
int bench_ping( void );
int bench_ping_event( void );
void bench_ping_end( void );
int bench_bulk_begin( int argument );
int bench_bulk( void );
void bench_bulk_end( void );
int bench_accept_begin( int argument );
int bench_accept( void );
void bench_accept_end( void );
/* In a process of its own, whose result is its exit status; and what measures such ones. */
int bench_first_connect_run( int port );
double bench_first_connect( double nanoseconds );
double bench_echo_64( double nanoseconds );
double bench_echo_5000( double nanoseconds );
double bench_transmit( double nanoseconds );

/* cases_names.c */
int bench_names_begin( int argument );
void bench_names_end( void );
int bench_localhost( void );
int bench_no_node( void );
int bench_gethostbyname( void );
int bench_own_name( void );

#endif
