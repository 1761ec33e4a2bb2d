/*
 * As much of the Windows headers as the PE sources under fuzzing need, for the host's compiler (info.c); winternl.h adds
 * what completion ports need, for tests/host/port_queue.c. Built with -fshort-wchar; sizes and layouts are Windows'.
 */
#ifndef FUZZ_WINSOCK2_H
#define FUZZ_WINSOCK2_H

#include <stddef.h>
#include <stdint.h>
#include "ws2host/winsock_codes.h"

#define WINAPI
#define NTAPI
#define TRUE 1
#define FALSE 0
#define ARRAYSIZE( array ) ( sizeof( array ) / sizeof( ( array )[0] ) )
#define FIELD_OFFSET( type, field ) ( (LONG)offsetof( type, field ) )

typedef int BOOL, INT, *LPINT;
typedef char CHAR;
typedef wchar_t WCHAR;
typedef unsigned char UCHAR, BYTE;
typedef uint16_t WORD, USHORT;
typedef int32_t LONG, NTSTATUS;
typedef uint32_t UINT, UINT32, DWORD, ULONG, *LPDWORD;
typedef uint64_t UINT64;
typedef intptr_t INT_PTR;
typedef uintptr_t UINT_PTR, ULONG_PTR, SOCKET;
typedef void *HANDLE;
typedef struct
{
    union
    {
        NTSTATUS Status;
        void *Pointer;
    };
    ULONG_PTR Information;
} IO_STATUS_BLOCK;
typedef unsigned int GROUP;

typedef struct
{
    uint32_t Data1;
    uint16_t Data2, Data3;
    uint8_t Data4[8];
} GUID;

typedef struct
{
    int ChainLen;
    DWORD ChainEntries[7];
} WSAPROTOCOLCHAIN;

#define WSAPROTOCOL_LEN 255
#define PROTOCOL_INFO( name, character ) \
    typedef struct \
    { \
        DWORD dwServiceFlags1, dwServiceFlags2, dwServiceFlags3, dwServiceFlags4, dwProviderFlags; \
        GUID ProviderId; \
        DWORD dwCatalogEntryId; \
        WSAPROTOCOLCHAIN ProtocolChain; \
        int iVersion, iAddressFamily, iMaxSockAddr, iMinSockAddr, iSocketType, iProtocol, iProtocolMaxOffset, \
            iNetworkByteOrder, iSecurityScheme; \
        DWORD dwMessageSize, dwProviderReserved; \
        character szProtocol[WSAPROTOCOL_LEN + 1]; \
    } name, *LP##name
PROTOCOL_INFO( WSAPROTOCOL_INFOA, CHAR );
PROTOCOL_INFO( WSAPROTOCOL_INFOW, WCHAR );
_Static_assert( sizeof( WSAPROTOCOL_INFOA ) == 372 && sizeof( WSAPROTOCOL_INFOW ) == 628, "as on Windows" );

/* named in headers, not used by the sources under fuzzing */
#define FD_MAX_EVENTS 10
struct sockaddr;
typedef struct OVERLAPPED OVERLAPPED;
typedef struct WSABUF WSABUF;
typedef struct WSAMSG WSAMSG;
typedef void ( *LPWSAOVERLAPPED_COMPLETION_ROUTINE )( DWORD, DWORD, OVERLAPPED *, DWORD );

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 23
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define FROM_PROTOCOL_INFO ( -1 )
#define BASE_PROTOCOL 1
#define BIGENDIAN 0
#define SECURITY_PROTOCOL_NONE 0
#define PFL_HIDDEN 0x4
#define PFL_MATCHES_PROTOCOL_ZERO 0x8
#define XP1_CONNECTIONLESS 0x1
#define XP1_GUARANTEED_DELIVERY 0x2
#define XP1_GUARANTEED_ORDER 0x4
#define XP1_MESSAGE_ORIENTED 0x8
#define XP1_GRACEFUL_CLOSE 0x20
#define XP1_EXPEDITED_DATA 0x40
#define XP1_SUPPORT_BROADCAST 0x200
#define XP1_SUPPORT_MULTIPOINT 0x400
#define XP1_IFS_HANDLES 0x20000
#define WSA_FLAG_OVERLAPPED 0x1
#define WSA_FLAG_NO_HANDLE_INHERIT 0x80
#define WSA_FLAG_REGISTERED_IO 0x100
#define INVALID_SOCKET ( ~(SOCKET)0 )
#define SOCKET_ERROR ( -1 )
#define PROCESS_DUP_HANDLE 0x40
#define SYNCHRONIZE 0x100000
#define ERROR_ACCESS_DENIED 5
#define WAIT_TIMEOUT 258
#define DUPLICATE_CLOSE_SOURCE 1
#define DUPLICATE_SAME_ACCESS 2
#define CP_ACP 0

/* the host has a function of this name */
#define socket fuzz_socket

void SetLastError( DWORD error );
DWORD GetLastError( void );
int WideCharToMultiByte( UINT page, DWORD flags, const WCHAR *wide, int length, char *text, int size,
                         const char *fallback, BOOL *used );
HANDLE OpenProcess( DWORD access, BOOL inherit, DWORD pid );
DWORD WaitForSingleObject( HANDLE handle, DWORD timeout );
HANDLE GetCurrentProcess( void );
BOOL DuplicateHandle( HANDLE from, HANDLE source, HANDLE to, HANDLE *target, DWORD access, BOOL inherit,
                      DWORD options );
BOOL CloseHandle( HANDLE handle );

/* what the sources export */
SOCKET WSASocketA( int family, int type, int protocol, LPWSAPROTOCOL_INFOA info, GROUP group, DWORD flags );
SOCKET WSASocketW( int family, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP group, DWORD flags );
int WSADuplicateSocketA( SOCKET s, DWORD target, LPWSAPROTOCOL_INFOA info );
int WSADuplicateSocketW( SOCKET s, DWORD target, LPWSAPROTOCOL_INFOW info );
int WSAEnumProtocolsA( LPINT protocols, LPWSAPROTOCOL_INFOA buffer, LPDWORD length );
int WSAEnumProtocolsW( LPINT protocols, LPWSAPROTOCOL_INFOW buffer, LPDWORD length );
int WSCEnumProtocols( LPINT protocols, LPWSAPROTOCOL_INFOW buffer, LPDWORD length, LPINT error );

#endif
