/*
 * The exports that have no implementation yet: each fails with WSAEOPNOTSUPP and says so once in the log.
 * A function leaves this list when its own room has it; README.md shows what is left.
 */
#include <stdint.h>

void ws2_log( const char *format, ... );
__declspec( dllimport ) void __stdcall SetLastError( unsigned long error );

#define WSAEOPNOTSUPP 10045
#define WSASYSNOTREADY 10091

/* name, what it returns */
#define NAMES \

#define PROVIDERS \
    X( WEP, 0 ) \
    X( WPUCompleteOverlappedRequest, -1 ) \
    X( WSAAdvertiseProvider, -1 ) \
    X( WSALookupServiceBeginA, -1 ) \
    X( WSALookupServiceBeginW, -1 ) \
    X( WSALookupServiceEnd, -1 ) \
    X( WSALookupServiceNextA, -1 ) \
    X( WSALookupServiceNextW, -1 ) \
    X( WSANSPIoctl, -1 ) \
    X( WSAProviderCompleteAsyncCall, -1 ) \
    X( WSAProviderConfigChange, -1 ) \
    X( WSAUnadvertiseProvider, -1 ) \
    X( WSApSetPostRoutine, -1 ) \
    X( WahCloseApcHelper, -1 ) \
    X( WahCloseHandleHelper, -1 ) \
    X( WahCloseNotificationHandleHelper, -1 ) \
    X( WahCloseSocketHandle, -1 ) \
    X( WahCloseThread, -1 ) \
    X( WahCompleteRequest, -1 ) \
    X( WahCreateHandleContextTable, -1 ) \
    X( WahCreateNotificationHandle, -1 ) \
    X( WahCreateSocketHandle, -1 ) \
    X( WahDestroyHandleContextTable, -1 ) \
    X( WahDisableNonIFSHandleSupport, -1 ) \
    X( WahEnableNonIFSHandleSupport, -1 ) \
    X( WahEnumerateHandleContexts, -1 ) \
    X( WahInsertHandleContext, -1 ) \
    X( WahNotifyAllProcesses, -1 ) \
    X( WahOpenApcHelper, -1 ) \
    X( WahOpenCurrentThread, -1 ) \
    X( WahOpenHandleHelper, -1 ) \
    X( WahOpenNotificationHandleHelper, -1 ) \
    X( WahQueueUserApc, -1 ) \
    X( WahReferenceContextByHandle, -1 ) \
    X( WahRemoveHandleContext, -1 ) \
    X( WahWaitForNotification, -1 ) \
    X( WahWriteLSPEvent, -1 ) \

#define SOCKETS \
    X( ProcessSocketNotifications, -1 ) \
    X( WSAGetOverlappedResult, 0 ) \
    X( WSAJoinLeaf, -1 ) \

#define X( name, result ) \
    intptr_t name( void ) \
    { \
        static int said; \
        if (!said++) ws2_log( #name " is not implemented" ); \
        SetLastError( WSAEOPNOTSUPP ); \
        return result; \
    }
NAMES
PROVIDERS
SOCKETS
