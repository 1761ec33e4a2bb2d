/*
 * Functions that Windows Server 2003 (and ReactOS, which is after it) has not. The program does not import them, or it would not
 * load there: newer.c looks them up, and with-functions makes the copy of each test file that skips what needs one that is
 * missing, by win_skip. A test calls them as any other. The check in tests/run-suite finds imports that belong here.
 */
#ifndef NEWER_H
#define NEWER_H

/* DLL, function, bytes of its arguments in 32 bits */
#define NEWER_FUNCTIONS( X ) \
    X( kernel32, CancelIoEx, 8 ) \
    X( kernel32, CancelSynchronousIo, 4 ) \
    X( kernel32, CloseThreadpoolIo, 4 ) \
    X( kernel32, CreateThreadpoolIo, 16 ) \
    X( kernel32, GetQueuedCompletionStatusEx, 24 ) \
    X( kernel32, GetTickCount64, 0 ) \
    X( kernel32, InitializeProcThreadAttributeList, 16 ) \
    X( kernel32, SetFileCompletionNotificationModes, 8 ) \
    X( kernel32, StartThreadpoolIo, 4 ) \
    X( kernel32, UpdateProcThreadAttribute, 28 ) \
    X( kernel32, WaitForThreadpoolIoCallbacks, 8 ) \
    X( ntdll, NtCancelIoFileEx, 12 ) \
    X( ws2_32, FreeAddrInfoEx, 4 ) \
    X( ws2_32, FreeAddrInfoExW, 4 ) \
    X( ws2_32, GetAddrInfoExA, 40 ) \
    X( ws2_32, GetHostNameW, 8 ) \
    X( ws2_32, InetNtopW, 16 ) \
    X( ws2_32, InetPtonW, 12 ) \
    X( ws2_32, SetAddrInfoExA, 48 ) \
    X( ws2_32, SetAddrInfoExW, 48 ) \
    X( ws2_32, WSAAdvertiseProvider, 8 ) \
    X( ws2_32, WSAConnectByList, 32 ) \
    X( ws2_32, WSAConnectByNameA, 36 ) \
    X( ws2_32, WSAConnectByNameW, 36 ) \
    X( ws2_32, WSAEnumNameSpaceProvidersExA, 8 ) \
    X( ws2_32, WSAEnumNameSpaceProvidersExW, 8 ) \
    X( ws2_32, WSAPoll, 12 ) \
    X( ws2_32, WSAProviderCompleteAsyncCall, 8 ) \
    X( ws2_32, WSASendMsg, 24 ) \
    X( ws2_32, WSAUnadvertiseProvider, 4 ) \
    X( ws2_32, WSCGetApplicationCategory, 24 ) \
    X( ws2_32, WSCGetProviderInfo, 24 ) \
    X( ws2_32, WSCSetApplicationCategory, 28 ) \
    X( ws2_32, WSCSetProviderInfo, 24 ) \
    X( ws2_32, inet_ntop, 16 ) \
    X( ws2_32, inet_pton, 12 )

/* Those that tests look up by themselves. */
#define NEWER_LOOKED_UP( X ) \
    X( ClosePseudoConsole ) \
    X( CompareObjectHandles ) \
    X( CreatePseudoConsole ) \
    X( GetAddrInfoExCancel ) \
    X( GetAddrInfoExOverlappedResult ) \
    X( GetAddrInfoExW ) \
    X( ProcessSocketNotifications )

#endif
