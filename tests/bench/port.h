/*
 * What the benchmark needs of the system it is built for. Most of it is spelling; what the two systems do in ways of
 * their own (waiting for network events, serving many connections, handing a socket to another process, sending a file)
 * is declared here and stands in port_windows.c and port_posix.c.
 */
#ifndef BENCH_PORT_H
#define BENCH_PORT_H

#ifdef _WIN32
#define FD_SETSIZE 1024 /* as the host's */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mswsock.h>
#include <windows.h>
typedef HANDLE port_thread;
#define port_set_size( set ) ( offsetof( fd_set, fd_array ) + ( set )->fd_count * sizeof( SOCKET ) )
#define port_would_block() ( WSAGetLastError() == WSAEWOULDBLOCK )
#define port_error() WSAGetLastError()
#else
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>
typedef int SOCKET;
typedef struct pollfd WSAPOLLFD;
typedef pthread_t port_thread;
#define INVALID_SOCKET ( -1 )
#define closesocket close
#define ioctlsocket ioctl
#define WSAPoll poll
#define SD_SEND SHUT_WR
#define port_set_size( set ) sizeof( *( set ) )
#define port_would_block() ( errno == EAGAIN )
#define port_error() errno
#endif

#include <stddef.h>
#include <stdint.h>

double port_now( void ); /* nanoseconds */
void port_begin( void );
int port_thread_start( port_thread *thread, void ( *function )( void * ), void *argument );
void port_thread_join( port_thread thread );

/* Waiting by an event object for data on a socket, which becomes non-blocking. Each function's result is 0 or an error. */
struct port_event
{
    SOCKET s;
    void *event;
};
int port_event_open( struct port_event *event, SOCKET s );
int port_event_wait( struct port_event *event );
void port_event_close( struct port_event *event );

/* Hands descriptors of s to another process, which opens and closes each, and waits until it has. */
int port_pass_open( void );
int port_pass( SOCKET s, unsigned int count );
void port_pass_close( void );
int port_pass_target( int argc, char **argv ); /* main() of that process */

/* Sends 64-byte echoes on `connections` sockets taken from listener, in one thread on a completion port or epoll, until
 * every connection has been closed by its other end. */
#define PORT_ECHO_SIZE 64
int port_echo_serve( SOCKET listener, unsigned int connections );

/* A packet to a completion port and out of it again, by one thread; natively a number to an eventfd and out of it. */
int port_packet_open( void );
int port_packet( void );
void port_packet_close( void );

/* A process of this program with one argument more, which ends by itself; 0 or an error. */
int port_spawn( const char *command, const char *argument );

/* One question to another process and its answer: to wineserver, or to a process at the other end of two pipes, in
 * messages of the same size. It is the floor of what needs wineserver. */
int port_conversation_open( void );
int port_conversation( void );
void port_conversation_close( void );

/* Sends a whole file of `size` bytes. */
int port_file_open( const char *path );
int port_file_send( SOCKET s, uint64_t size );
void port_file_close( void );

#endif
