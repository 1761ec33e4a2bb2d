/*
 * Registered I/O as Windows' mswsockdef.h and mswsock.h declare it, for compilers' headers that do not have it. Include
 * winsock2.h and mswsock.h first.
 */
#ifndef WS2HOST_REGISTERED_IO_H
#define WS2HOST_REGISTERED_IO_H

#ifndef WSA_FLAG_REGISTERED_IO
#define WSA_FLAG_REGISTERED_IO 0x100
#endif

#ifndef SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER
#define SIO_GET_MULTIPLE_EXTENSION_FUNCTION_POINTER _WSAIORW( IOC_WS2, 36 )
#endif

#ifndef RIO_MSG_DONT_NOTIFY

#define RIO_MSG_DONT_NOTIFY 0x00000001
#define RIO_MSG_DEFER 0x00000002
#define RIO_MSG_WAITALL 0x00000004
#define RIO_MSG_COMMIT_ONLY 0x00000008

#define RIO_INVALID_BUFFERID ( (RIO_BUFFERID)(ULONG_PTR)0xffffffff )
#define RIO_INVALID_CQ ( (RIO_CQ)0 )
#define RIO_INVALID_RQ ( (RIO_RQ)0 )

#define RIO_MAX_CQ_SIZE 0x8000000
#define RIO_CORRUPT_CQ 0xffffffff

typedef struct RIO_BUFFERID_t *RIO_BUFFERID, **PRIO_BUFFERID;
typedef struct RIO_CQ_t *RIO_CQ, **PRIO_CQ;
typedef struct RIO_RQ_t *RIO_RQ, **PRIO_RQ;

typedef struct _RIORESULT
{
    LONG Status;
    ULONG BytesTransferred;
    ULONGLONG SocketContext;
    ULONGLONG RequestContext;
} RIORESULT, *PRIORESULT;

typedef struct _RIO_BUF
{
    RIO_BUFFERID BufferId;
    ULONG Offset;
    ULONG Length;
} RIO_BUF, *PRIO_BUF;

typedef struct _RIO_CMSG_BUFFER
{
    ULONG TotalLength;
} RIO_CMSG_BUFFER, *PRIO_CMSG_BUFFER;

#define RIO_CMSG_BASE_SIZE ( ( sizeof( RIO_CMSG_BUFFER ) + sizeof( SIZE_T ) - 1 ) & ~( sizeof( SIZE_T ) - 1 ) )

typedef enum _RIO_NOTIFICATION_COMPLETION_TYPE
{
    RIO_EVENT_COMPLETION = 1,
    RIO_IOCP_COMPLETION = 2
} RIO_NOTIFICATION_COMPLETION_TYPE,
    *PRIO_NOTIFICATION_COMPLETION_TYPE;

typedef struct _RIO_NOTIFICATION_COMPLETION
{
    RIO_NOTIFICATION_COMPLETION_TYPE Type;
    union
    {
        struct
        {
            HANDLE EventHandle;
            BOOL NotifyReset;
        } Event;
        struct
        {
            HANDLE IocpHandle;
            PVOID CompletionKey;
            PVOID Overlapped;
        } Iocp;
    };
} RIO_NOTIFICATION_COMPLETION, *PRIO_NOTIFICATION_COMPLETION;

typedef BOOL( PASCAL *LPFN_RIORECEIVE )( RIO_RQ queue, PRIO_BUF data, ULONG count, DWORD flags, PVOID context );
typedef int( PASCAL *LPFN_RIORECEIVEEX )( RIO_RQ queue, PRIO_BUF data, ULONG count, PRIO_BUF local, PRIO_BUF remote,
                                          PRIO_BUF control, PRIO_BUF result_flags, DWORD flags, PVOID context );
typedef BOOL( PASCAL *LPFN_RIOSEND )( RIO_RQ queue, PRIO_BUF data, ULONG count, DWORD flags, PVOID context );
typedef BOOL( PASCAL *LPFN_RIOSENDEX )( RIO_RQ queue, PRIO_BUF data, ULONG count, PRIO_BUF local, PRIO_BUF remote,
                                        PRIO_BUF control, PRIO_BUF result_flags, DWORD flags, PVOID context );
typedef VOID( PASCAL *LPFN_RIOCLOSECOMPLETIONQUEUE )( RIO_CQ queue );
typedef RIO_CQ( PASCAL *LPFN_RIOCREATECOMPLETIONQUEUE )( DWORD size, PRIO_NOTIFICATION_COMPLETION notification );
typedef RIO_RQ( PASCAL *LPFN_RIOCREATEREQUESTQUEUE )( SOCKET s, ULONG receives, ULONG receive_buffers, ULONG sends,
                                                      ULONG send_buffers, RIO_CQ receive_queue, RIO_CQ send_queue,
                                                      PVOID context );
typedef ULONG( PASCAL *LPFN_RIODEQUEUECOMPLETION )( RIO_CQ queue, PRIORESULT results, ULONG count );
typedef VOID( PASCAL *LPFN_RIODEREGISTERBUFFER )( RIO_BUFFERID id );
typedef INT( PASCAL *LPFN_RIONOTIFY )( RIO_CQ queue );
typedef RIO_BUFFERID( PASCAL *LPFN_RIOREGISTERBUFFER )( PCHAR memory, DWORD size );
typedef BOOL( PASCAL *LPFN_RIORESIZECOMPLETIONQUEUE )( RIO_CQ queue, DWORD size );
typedef BOOL( PASCAL *LPFN_RIORESIZEREQUESTQUEUE )( RIO_RQ queue, DWORD receives, DWORD sends );

typedef struct _RIO_EXTENSION_FUNCTION_TABLE
{
    DWORD cbSize;
    LPFN_RIORECEIVE RIOReceive;
    LPFN_RIORECEIVEEX RIOReceiveEx;
    LPFN_RIOSEND RIOSend;
    LPFN_RIOSENDEX RIOSendEx;
    LPFN_RIOCLOSECOMPLETIONQUEUE RIOCloseCompletionQueue;
    LPFN_RIOCREATECOMPLETIONQUEUE RIOCreateCompletionQueue;
    LPFN_RIOCREATEREQUESTQUEUE RIOCreateRequestQueue;
    LPFN_RIODEQUEUECOMPLETION RIODequeueCompletion;
    LPFN_RIODEREGISTERBUFFER RIODeregisterBuffer;
    LPFN_RIONOTIFY RIONotify;
    LPFN_RIOREGISTERBUFFER RIORegisterBuffer;
    LPFN_RIORESIZECOMPLETIONQUEUE RIOResizeCompletionQueue;
    LPFN_RIORESIZEREQUESTQUEUE RIOResizeRequestQueue;
} RIO_EXTENSION_FUNCTION_TABLE, *PRIO_EXTENSION_FUNCTION_TABLE;

#define WSAID_MULTIPLE_RIO \
    { \
        0x8509e081, 0x96dd, 0x4005, { 0xb1, 0x65, 0x9e, 0x2e, 0xe8, 0xc7, 0x9e, 0x3f } \
    }

#endif
#endif
