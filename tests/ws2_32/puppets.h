/*
 * Child processes of tests. A puppet is one that makes Winsock calls when told to: the story of a test with several
 * processes stands in the parent, in one place, and so do all its checks. A puppet inherits nothing unless asked to.
 */
#ifndef TESTS_PUPPETS_H
#define TESTS_PUPPETS_H

#include "support.h"

enum puppet_call
{
    PUPPET_STARTUP,
    PUPPET_CLEANUP,
    PUPPET_OPEN_A, /* WSASocketA( family, type, protocol, info_a or none, 0, flags ) */
    PUPPET_OPEN_W,
    PUPPET_NEW,       /* WSASocketW without info */
    PUPPET_DUPLICATE, /* WSADuplicateSocketA( s, pid, &info_a ) */
    PUPPET_CLOSE,
    PUPPET_SEND, /* data, length */
    PUPPET_RECV,
    PUPPET_ACCEPT,
    PUPPET_ACCEPT_EX, /* begins one on s with an acceptor of its own; result 1 when it pends */
    PUPPET_ACCEPTED,  /* value: milliseconds; result: the acceptor when that has ended well, else 0 */
    PUPPET_RECV_EX,   /* begins an overlapped receive of value bytes on s; result 1 when it pends */
    PUPPET_RECEIVED, /* value: milliseconds; result: its bytes, in data, or -1 with its status in option; -2: pends still */
    PUPPET_CONNECT, /* address */
    PUPPET_BIND,
    PUPPET_SHUTDOWN,   /* value */
    PUPPET_GETSOCKOPT, /* level, option, length; data */
    PUPPET_SETSOCKOPT,
    PUPPET_IOCTL,        /* ioctlsocket( s, option, &value ) */
    PUPPET_EVENT_SELECT, /* mask in value, on the puppet's own event */
    PUPPET_WAIT_EVENT,   /* value: milliseconds; result: 1 when signalled */
    PUPPET_ENUM_EVENTS,  /* result 0, value: the bits */
    PUPPET_GETPEERNAME,
    PUPPET_GETSOCKNAME,
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
/* What a puppet is, for support_begin: does as it is told, and never returns. */
void puppet_main( const char *name, BOOL started );

#endif
