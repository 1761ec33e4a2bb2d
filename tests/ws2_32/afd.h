/* What the tests of \Device\Afd share: its structures, and requests with their ends. */
#ifndef TESTS_AFD_H
#define TESTS_AFD_H

#include "support.h"
#include <winternl.h>

#define IOCTL_AFD_BIND 0x12003
#define IOCTL_AFD_LISTEN 0x1200b
#define IOCTL_AFD_RECV 0x12017
#define IOCTL_AFD_POLL 0x12024
#define IOCTL_AFD_GETSOCKNAME 0x1202f
#define IOCTL_AFD_EVENT_SELECT 0x12087
#define IOCTL_AFD_GET_EVENTS 0x1208b

enum
{
    AFD_READ = 0x1,
    AFD_OOB = 0x2,
    AFD_WRITE = 0x4,
    AFD_HUP = 0x8,
    AFD_RESET = 0x10,
    AFD_CLOSE = 0x20,
    AFD_CONNECT = 0x40,
    AFD_ACCEPT = 0x80,
    AFD_CONNECT_ERR = 0x100
};
#define AFD_ALL 0xffffffffu

#define NT( value ) ( (NTSTATUS)value )
#define NT_PENDING NT( 0x103 )
#define NT_TIMEOUT NT( 0x102 )
#define NT_INVALID_HANDLE NT( 0xc0000008 )
#define NT_INVALID_PARAMETER NT( 0xc000000d )
#define NT_CANCELLED NT( 0xc0000120 )
#define NT_NOT_FOUND NT( 0xc0000225 )
#define NT_INVALID_CONNECTION NT( 0xc0000140 )
#define NT_DEVICE_NOT_READY NT( 0xc00000a3 )
#define NT_PIPE_DISCONNECTED NT( 0xc00000b0 )
#define NT_BUFFER_OVERFLOW NT( 0x80000005 )
#define NT_CONNECTION_ABORTED NT( 0xc0000241 )
#define NT_CONNECTION_REFUSED NT( 0xc0000236 )
#define NT_INVALID_ADDRESS NT( 0xc0000141 )
#define NT_INVALID_ADDRESS_COMPONENT NT( 0xc0000207 )
#define NT_SHARING_VIOLATION NT( 0xc0000043 )
#define NT_ALREADY_ASSOCIATED NT( 0xc0000238 )

struct afd_poll
{
    LONGLONG timeout;
    ULONG count;
    ULONG exclusive;
    struct
    {
        SOCKET s;
        ULONG flags;
        NTSTATUS status;
    } sockets[3];
};
#define POLL_SIZE( count ) \
    ( offsetof( struct afd_poll, sockets ) + ( count ) * sizeof( ( (struct afd_poll *)0 )->sockets[0] ) )
#define NEVER 0x7fffffffffffffffll
#define AFTER_MS( ms ) ( -(ms)*10000ll )

struct afd_recv
{
    const WSABUF *buffers;
    ULONG count, recv_flags, msg_flags;
};

NTSTATUS NTAPI NtDeviceIoControlFile( HANDLE, HANDLE, PIO_APC_ROUTINE, void *, IO_STATUS_BLOCK *, ULONG, void *, ULONG,
                                      void *, ULONG );
NTSTATUS NTAPI NtReadFile( HANDLE, HANDLE, PIO_APC_ROUTINE, void *, IO_STATUS_BLOCK *, void *, ULONG, LARGE_INTEGER *,
                           ULONG * );
NTSTATUS NTAPI NtWriteFile( HANDLE, HANDLE, PIO_APC_ROUTINE, void *, IO_STATUS_BLOCK *, const void *, ULONG,
                            LARGE_INTEGER *, ULONG * );
NTSTATUS NTAPI NtCancelIoFileEx( HANDLE, IO_STATUS_BLOCK *, IO_STATUS_BLOCK * );

#define check_status( call, expected ) \
    do { \
        NTSTATUS status_ = ( call ), expected_ = ( expected ); \
        ok( status_ == expected_, "%s returned %#lx, expected %#lx\n", #call, status_, expected_ ); \
    } while ( 0 )

#define check_iosb( iosb, status, size ) check_iosb_( __FILE__, __LINE__, iosb, status, size )
static inline void check_iosb_( const char *file, int line, const IO_STATUS_BLOCK *iosb, NTSTATUS status,
                                ULONG_PTR size )
{
    ok_( file, line )( iosb->Status == status, "iosb has status %#lx, expected %#lx\n", iosb->Status, status );
    ok_( file, line )( iosb->Information == size, "iosb has size %llu, expected %llu\n",
                       (unsigned long long)iosb->Information, (unsigned long long)size );
}

#define UNTOUCHED NT( 0xdeadbabe )
static inline void iosb_reset( IO_STATUS_BLOCK *iosb )
{
    iosb->Status = UNTOUCHED;
    iosb->Information = 0xdead;
}

static inline HANDLE afd_open( const WCHAR *name )
{
    UNICODE_STRING string;
    OBJECT_ATTRIBUTES attributes = { .Length = sizeof( attributes ), .ObjectName = &string };
    IO_STATUS_BLOCK iosb;
    HANDLE handle = NULL;
    NTSTATUS status;

    RtlInitUnicodeString( &string, name );
    status = NtCreateFile( &handle, SYNCHRONIZE, &attributes, &iosb, NULL, 0, FILE_SHARE_READ | FILE_SHARE_WRITE,
                           1 /* FILE_OPEN */, 0, NULL, 0 );
    ok( !status, "NtCreateFile returned %#lx\n", status );
    return handle;
}

#endif
