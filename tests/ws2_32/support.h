/*
 * What several test files share: addresses, pairs of connected sockets, guarded calls, and puppets.
 *
 * A puppet is a child process that makes Winsock calls when told to: the story of a test with several processes stands
 * in the parent, in one place, and so do all its checks. A puppet inherits nothing unless asked to.
 */
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
int address_port( const union address *address );
int socket_port( SOCKET s );
BOOL have_ipv6( void );
/* On Windows: could this process change the system's configuration? Tests of refusals then keep their hands off. */
BOOL have_administrator( void );

/* --- sockets: bound to loopback, ports chosen by the system */
SOCKET tcp_listener( int family, union address *address );
SOCKET tcp_bound( int family, union address *address ); /* a port that refuses connections while this is open */
SOCKET tcp_client( const union address *address );      /* connected to a listener of IPv4 */
SOCKET udp_bound( int family, union address *address );
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
/* data sent through one descriptor arrives at the other */
#define check_flow( from, to ) check_flow_( __FILE__, __LINE__, from, to )
void check_flow_( const char *file, int line, SOCKET from, SOCKET to );
/* the connection stands and is idle: nothing to read, no end of stream */
#define check_open( s ) check_open_( __FILE__, __LINE__, s )
void check_open_( const char *file, int line, SOCKET s );
/* nobody listens there any more, now or soon: a process that died may take a moment to let go */
#define check_refused( address ) check_refused_( __FILE__, __LINE__, address )
void check_refused_( const char *file, int line, const union address *address );
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

/* --- puppets */
enum puppet_call
{
    PUPPET_STARTUP,
    PUPPET_CLEANUP,
    PUPPET_OPEN_A, /* WSASocketA( family, type, protocol, info_a or none, 0, flags ) */
    PUPPET_OPEN_W,
    PUPPET_NEW,       /* WSASocketW without info */
    PUPPET_DUPLICATE, /* WSADuplicateSocketA( s, pid, &info_a ) */
    PUPPET_CLOSE,
    PUPPET_CLOSE_HANDLE,
    PUPPET_SEND, /* data, length */
    PUPPET_RECV,
    PUPPET_ACCEPT,
    PUPPET_ACCEPT_EX, /* begins one on s with an acceptor of its own; result 1 when it pends */
    PUPPET_ACCEPTED,  /* value: milliseconds; result: the acceptor when that has ended well, else 0 */
    PUPPET_RECV_EX,   /* begins an overlapped receive of value bytes on s; result 1 when it pends */
    PUPPET_RECEIVED, /* value: milliseconds; result: its bytes, in data, or -1 with its status in option; -2: pends still */
    PUPPET_CONNECT, /* address */
    PUPPET_BIND,
    PUPPET_LISTEN,
    PUPPET_SHUTDOWN,   /* value */
    PUPPET_GETSOCKOPT, /* level, option, length; data */
    PUPPET_SETSOCKOPT,
    PUPPET_IOCTL,        /* ioctlsocket( s, option, &value ) */
    PUPPET_EVENT_SELECT, /* mask in value, on the puppet's own event */
    PUPPET_WAIT_EVENT,   /* value: milliseconds; result: 1 when signalled */
    PUPPET_ENUM_EVENTS,  /* result 0, value: the bits */
    PUPPET_GETPEERNAME,
    PUPPET_GETSOCKNAME,
    PUPPET_WRITE_FILE,
    PUPPET_READ_FILE,
    PUPPET_HANDLE_FLAGS, /* GetHandleInformation: value */
    PUPPET_POST,         /* a packet with key 42 to the completion port s of process `value` */
    PUPPET_ASSOCIATE,    /* s with a new completion port, which stays; result 1 when done */
    PUPPET_EXIT,         /* without closing anything */
};

/* laid out alike for both widths: the child may have the other one */
struct puppet_message
{
    enum puppet_call call;
    int error;
    LONGLONG result;
    ULONGLONG s;
    int family, type, protocol;
    DWORD flags, pid, value;
    int level, option, length;
    union address address;
    WSAPROTOCOL_INFOA info_a;
    WSAPROTOCOL_INFOW info_w;
    char data[1024];
};

struct puppet
{
    HANDLE process, thread, mapping, request, reply;
    DWORD pid;
    struct puppet_message *message;
};

#define PUPPET_INHERITS 1  /* bInheritHandles */
#define PUPPET_SUSPENDED 2 /* made suspended: for puppet_resume */
#define PUPPET_BARE 4      /* calls no WSAStartup by itself */
void puppet_create( struct puppet *puppet, unsigned int flags );
void puppet_resume( struct puppet *puppet );
void puppet_kill( struct puppet *puppet );    /* no clean-up in the child, as when it crashes */
void puppet_destroy( struct puppet *puppet ); /* lets it leave in the ordinary way */
/* Sends the message and waits for the answer; the call's result, its error as last error. */
LONGLONG puppet_do( struct puppet *puppet, enum puppet_call call );
LONGLONG puppet_do_on( struct puppet *puppet, enum puppet_call call, SOCKET s );
SOCKET puppet_open_a( struct puppet *puppet, const WSAPROTOCOL_INFOA *info, DWORD flags );
SOCKET puppet_open_w( struct puppet *puppet, const WSAPROTOCOL_INFOW *info, DWORD flags );
#define puppet_send( puppet, s, text ) puppet_send_( puppet, s, text, sizeof( text ) - 1 )
int puppet_send_( struct puppet *puppet, SOCKET s, const char *text, int length );

/* The program of children: this one, or what WINETEST_CHILD names, the same of the other width. */
const char *child_program( void );
/* Runs it: NAME ARGUMENTS; inherits handles. Standard handles are replaced where they are not NULL. */
HANDLE run_child( const char *arguments, HANDLE in, HANDLE out, DWORD flags, HANDLE *thread );

#endif
