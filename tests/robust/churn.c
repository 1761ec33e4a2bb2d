/*
 * A process to be killed: makes, duplicates, opens and closes sockets, registers events and leaves overlapped I/O pending,
 * at random and without end. `churn.exe PORT`: half of its sockets are connected to PORT, whose owner sees them end.
 * Infos for other processes lie in memory that all share; a process that dies in the middle of writing one leaves garbage,
 * which must be refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#define HELD 24
#define INFOS 32
#define PROCESSES 6

struct board
{
    volatile LONG pids[PROCESSES];
    struct
    {
        volatile LONG target;
        WSAPROTOCOL_INFOW info;
    } infos[INFOS];
};

static struct
{
    SOCKET s;
    WSAEVENT event;
    WSAOVERLAPPED overlapped;
    char buffer[64];
} held[HELD];

int main( int argc, char **argv )
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl( INADDR_LOOPBACK ) };
    const DWORD self = GetCurrentProcessId();
    struct board *board;
    HANDLE mapping;
    WSADATA data;

    if ( argc < 2 || WSAStartup( MAKEWORD( 2, 2 ), &data ) ) return 1;
    address.sin_port = htons( atoi( argv[1] ) );
    mapping = CreateFileMappingA( INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof( *board ), "ws2host-churn" );
    board = MapViewOfFile( mapping, FILE_MAP_ALL_ACCESS, 0, 0, sizeof( *board ) );
    srand( self * 31 + GetTickCount() );
    board->pids[rand() % PROCESSES] = self;
    for ( int i = 0; i < HELD; i++ ) held[i].s = INVALID_SOCKET;
    for ( ;; )
    {
        const int i = rand() % HELD, info = rand() % INFOS;
        const LONG target = board->pids[rand() % PROCESSES];
        WSABUF buffer = { sizeof( held[i].buffer ), held[i].buffer };
        DWORD count, flags = 0;

        switch ( rand() % 7 )
        {
        case 0:
        case 1:
            if ( held[i].s != INVALID_SOCKET ) break;
            held[i].s = WSASocketW( AF_INET, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED );
            if ( rand() % 2 ) connect( held[i].s, (struct sockaddr *)&address, sizeof( address ) );
            break;
        case 2:
            if ( held[i].s == INVALID_SOCKET || !target ) break;
            if ( WSADuplicateSocketW( held[i].s, target, &board->infos[info].info ) ) break;
            board->infos[info].target = target;
            break;
        case 3:
            if ( held[i].s != INVALID_SOCKET ) break;
            for ( int j = 0; j < INFOS; j++ )
                if ( InterlockedCompareExchange( &board->infos[j].target, 0, self ) == (LONG)self )
                {
                    held[i].s = WSASocketW( -1, -1, -1, &board->infos[j].info, 0, WSA_FLAG_OVERLAPPED );
                    break;
                }
            break;
        case 4:
            if ( held[i].s == INVALID_SOCKET ) break;
            if ( !held[i].event ) held[i].event = WSACreateEvent();
            WSAEventSelect( held[i].s, held[i].event, FD_READ | FD_WRITE | FD_CLOSE | FD_CONNECT );
            break;
        case 5:
            if ( held[i].s != INVALID_SOCKET && !held[i].overlapped.Internal )
                WSARecv( held[i].s, &buffer, 1, &count, &flags, &held[i].overlapped, NULL );
            break;
        case 6:
            if ( held[i].s == INVALID_SOCKET || rand() % 2 ) break;
            closesocket( held[i].s );
            held[i].s = INVALID_SOCKET;
            break;
        }
    }
}
