/* What several test files share: addresses, pairs of connected sockets, guarded calls. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#define __USE_MINGW_ANSI_STDIO 1
#include <stddef.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>
#include <afunix.h>
#include "wine/test.h"

#define ARRAY_SIZE( array ) ( sizeof( array ) / sizeof( ( array )[0] ) )
#define ERROR_UNTOUCHED 0xdeadbeef

#define check_error_( call, text, result, expected ) \
    do { \
        long long result_; \
        int error_; \
        WSASetLastError( ERROR_UNTOUCHED ); \
        result_ = (INT_PTR)( call ); \
        error_ = WSAGetLastError(); \
        ok( result_ == (INT_PTR)( result ), "%s returned %lld\n", text, result_ ); \
        ok( error_ == (int)( expected ), "%s gave error %d, expected %d\n", text, error_, (int)( expected ) ); \
    } while ( 0 )
#define check_result_( call, text, result, clears ) \
    do { \
        long long result_; \
        int error_; \
        WSASetLastError( ERROR_UNTOUCHED ); \
        result_ = (INT_PTR)( call ); \
        error_ = WSAGetLastError(); \
        ok( result_ == (INT_PTR)( result ), "%s returned %lld, expected %lld, error %d\n", text, result_, \
            (long long)(INT_PTR)( result ), error_ ); \
        if ( clears ) ok( !error_, "%s left error %d\n", text, error_ ); \
    } while ( 0 )

/* A call that must fail: its result and its error. */
#define check_error( call, result, expected ) check_error_( call, #call, result, expected )
#define check_fails( call, expected ) check_error_( call, #call, SOCKET_ERROR, expected )
#define check_no_socket( call, expected ) check_error_( call, #call, INVALID_SOCKET, expected )
/* A call that must give this result. */
#define check_result( call, result ) check_result_( call, #call, result, 0 )
#define check_ok( call ) check_result_( call, #call, 0, 0 )
/* The same where Windows sets the last error to 0. */
#define check_clears( call, result ) check_result_( call, #call, result, 1 )

/* --- start and end of a test: 1 when this process is a child that has done its work */
int support_begin( void );
void support_end( void );

/* --- addresses */
union address
{
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    SOCKADDR_STORAGE storage;
};

int address_loopback( union address *address, int family, int port ); /* its length */
int address_any( union address *address, int family, int port );
int address_length( int family ); /* of IPv4 or IPv6 */
int address_port( const union address *address );
int socket_port( SOCKET s );
BOOL have_ipv6( void );
BOOL own_network( void ); /* that of tests/own-network, where nothing else is */
/* On Windows: could this process change the system's configuration? Tests of refusals then keep their hands off. */
BOOL have_administrator( void );

/* --- sockets: bound to loopback, ports chosen by the system */
SOCKET tcp_listener( int family, union address *address );
SOCKET tcp_bound( int family, union address *address ); /* a port that refuses connections while this is open */
SOCKET tcp_client( const union address *address );      /* connected to a listener of IPv4 */
SOCKET udp_bound( int family, union address *address );
/* A link-local address of an adapter; its index stands in the scope. FALSE: there is none. */
BOOL address_link_local( union address *address );
void tcp_pair_family( int family, SOCKET *client, SOCKET *server );
void tcp_pair_with( DWORD flags, SOCKET *client, SOCKET *server ); /* WSA_FLAG_OVERLAPPED or 0, for use as files */
void tcp_pair( SOCKET *client, SOCKET *server );                   /* receives give up after 10 s */
void set_nonblocking( SOCKET s, BOOL on );
void set_receive_timeout( SOCKET s, DWORD milliseconds );
void receive_byte( SOCKET s, OVERLAPPED *ov, HANDLE event, char *byte ); /* overlapped, of one byte: it pends */
/* accept that gives up after 10 s */
#define accept_one( listener ) accept_one_( __FILE__, __LINE__, listener )
SOCKET accept_one_( const char *file, int line, SOCKET listener );
BOOL wait_readable( SOCKET s, DWORD milliseconds );
/* AF_UNIX: support_begin, and 1 where there is none, which is said; a stream socket; an address, whose size is returned */
int local_begin( void );
SOCKET local_socket( void );
int local_address( struct sockaddr_un *address, const char *path );
/* A listener of IPv4 whose queue is full with the fillers: on Linux a further connection stays under way, on Windows it may be
 * refused after a while. So nobody outside has to be asked. */
SOCKET deaf_listener( union address *address, SOCKET *fillers, unsigned int count );
BOOL is_under_way( SOCKET s );
/* data sent through one descriptor arrives at the other */
#define check_flow( from, to ) check_flow_( __FILE__, __LINE__, from, to )
void check_flow_( const char *file, int line, SOCKET from, SOCKET to );
/* the connection stands and is idle: nothing to read, no end of stream */
#define check_open( s ) check_open_( __FILE__, __LINE__, s )
void check_open_( const char *file, int line, SOCKET s );
/* nobody listens there any more, now or soon: a process that died may take a moment to let go */
#define check_refused( address ) check_refused_( __FILE__, __LINE__, address )
void check_refused_( const char *file, int line, const union address *address );
/* The connection has ended, in whichever way. */
#define check_gone( s ) check_gone_( __FILE__, __LINE__, s )
void check_gone_( const char *file, int line, SOCKET s );
/* Until an acceptor whose AcceptEx waits for data has its connection. */
#define await_accepted( s ) await_accepted_( __FILE__, __LINE__, s )
void await_accepted_( const char *file, int line, SOCKET s );
/* the peer sees the graceful end of the stream */
#define check_eof( s ) check_eof_( __FILE__, __LINE__, s )
void check_eof_( const char *file, int line, SOCKET s );

/* --- memory that faults */
void *memory_unmapped( void );            /* a page that may not be touched */
void *memory_read_only( void );           /* a page of zeros that may not be written */
void *memory_before_fault( size_t size ); /* so many bytes, then a page that may not be touched; for VirtualFree */

/* --- guards: an access violation in the call is a failed check and the value GUARD_CRASHED */
#define GUARD_CRASHED ( -0x5afe )
extern void *guard_buffer[5];
void guard_enter( void );
int guard_leave( void );
#define guarded( call ) \
    ( { \
        long long guarded_ = GUARD_CRASHED; \
        guard_enter(); \
        if ( !__builtin_setjmp( guard_buffer ) ) \
        { \
            guarded_ = (long long)( call ); \
            (void)guard_leave(); \
        } \
        else \
        { \
            DWORD code_ = guard_leave(); \
            ok( 0, "%s raised exception %#lx\n", #call, code_ ); \
        } \
        guarded_; \
    } )

#endif
