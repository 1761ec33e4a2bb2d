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
    X( WPUGetProviderPathEx, -1 ) \
    X( WSAAdvertiseProvider, -1 ) \
    X( WSAEnumNameSpaceProvidersA, -1 ) \
    X( WSAEnumNameSpaceProvidersExA, -1 ) \
    X( WSAEnumNameSpaceProvidersExW, -1 ) \
    X( WSAEnumNameSpaceProvidersW, -1 ) \
    X( WSAGetServiceClassInfoA, -1 ) \
    X( WSAGetServiceClassInfoW, -1 ) \
    X( WSAGetServiceClassNameByClassIdA, -1 ) \
    X( WSAGetServiceClassNameByClassIdW, -1 ) \
    X( WSAInstallServiceClassA, -1 ) \
    X( WSAInstallServiceClassW, -1 ) \
    X( WSALookupServiceBeginA, -1 ) \
    X( WSALookupServiceBeginW, -1 ) \
    X( WSALookupServiceEnd, -1 ) \
    X( WSALookupServiceNextA, -1 ) \
    X( WSALookupServiceNextW, -1 ) \
    X( WSANSPIoctl, -1 ) \
    X( WSAProviderCompleteAsyncCall, -1 ) \
    X( WSAProviderConfigChange, -1 ) \
    X( WSARemoveServiceClass, -1 ) \
    X( WSASetServiceA, -1 ) \
    X( WSASetServiceW, -1 ) \
    X( WSAUnadvertiseProvider, -1 ) \
    X( WSApSetPostRoutine, -1 ) \
    X( WSCDeinstallProvider, -1 ) \
    X( WSCDeinstallProvider32, -1 ) \
    X( WSCDeinstallProviderEx, -1 ) \
    X( WSCEnableNSProvider, -1 ) \
    X( WSCEnableNSProvider32, -1 ) \
    X( WSCEnumNameSpaceProviders32, -1 ) \
    X( WSCEnumNameSpaceProvidersEx32, -1 ) \
    X( WSCEnumProtocolsEx, -1 ) \
    X( WSCGetApplicationCategory, -1 ) \
    X( WSCGetApplicationCategoryEx, -1 ) \
    X( WSCGetProviderInfo, -1 ) \
    X( WSCGetProviderInfo32, -1 ) \
    X( WSCGetProviderPath, -1 ) \
    X( WSCGetProviderPath32, -1 ) \
    X( WSCInstallNameSpace, -1 ) \
    X( WSCInstallNameSpace32, -1 ) \
    X( WSCInstallNameSpaceEx, -1 ) \
    X( WSCInstallNameSpaceEx2, -1 ) \
    X( WSCInstallNameSpaceEx32, -1 ) \
    X( WSCInstallProvider, -1 ) \
    X( WSCInstallProvider64_32, -1 ) \
    X( WSCInstallProviderAndChains, -1 ) \
    X( WSCInstallProviderAndChains64_32, -1 ) \
    X( WSCInstallProviderEx, -1 ) \
    X( WSCSetApplicationCategory, -1 ) \
    X( WSCSetApplicationCategoryEx, -1 ) \
    X( WSCSetProviderInfo, -1 ) \
    X( WSCSetProviderInfo32, -1 ) \
    X( WSCUnInstallNameSpace, -1 ) \
    X( WSCUnInstallNameSpace32, -1 ) \
    X( WSCUnInstallNameSpaceEx2, -1 ) \
    X( WSCUpdateProvider, -1 ) \
    X( WSCUpdateProvider32, -1 ) \
    X( WSCUpdateProviderEx, -1 ) \
    X( WSCWriteNameSpaceOrder, -1 ) \
    X( WSCWriteNameSpaceOrder32, -1 ) \
    X( WSCWriteProviderOrder, -1 ) \
    X( WSCWriteProviderOrder32, -1 ) \
    X( WSCWriteProviderOrderEx, -1 ) \
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
