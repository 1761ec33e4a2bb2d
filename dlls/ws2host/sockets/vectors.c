/*
 * Datagrams in more buffers than the host takes in one call (IOV_MAX): one piece of memory stands in for them in the
 * system call. The bytes move between it and the caller's buffers through a file of no name, so that the host and not a
 * crash reports a buffer that is none, whichever thread performs the operation. Nothing is kept between calls.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "sockets/vectors.h"
#include "sockets/windows_message.h"

#define LARGEST_DATAGRAM 65536 /* one more than any family sends: what is longer is refused as by the host itself */

typedef ssize_t move_vectors( int fd, const struct iovec *vectors, int count, off_t offset );

/* Moves the file's bytes from or to the vectors, `size` at the most; -1 with errno when one of them faults. */
static int move( move_vectors *mover, int file, const struct iovec *vectors, size_t count, size_t size )
{
    size_t done = 0;

    for ( size_t first = 0; first < count && done < size; first += IOV_MAX )
    {
        const size_t n = count - first < IOV_MAX ? count - first : IOV_MAX;
        size_t wanted = 0;
        ssize_t moved;

        for ( size_t i = 0; i < n; i++ ) wanted += vectors[first + i].iov_len;
        if ( wanted > size - done ) wanted = size - done;
        if ( ( moved = mover( file, vectors + first, n, done ) ) < 0 ) return -1;
        if ( (size_t)moved < wanted )
        {
            errno = EFAULT;
            return -1;
        }
        done += moved;
    }
    return 0;
}

static size_t size_of( const struct iovec *vectors, size_t count )
{
    size_t size = 0;

    for ( size_t i = 0; i < count && size < LARGEST_DATAGRAM; i++ ) size += vectors[i].iov_len;
    return size < LARGEST_DATAGRAM ? size : LARGEST_DATAGRAM;
}

/* 0 and the memory with the file behind it, or -1 with errno */
static int begin( size_t size, int *file, char **memory )
{
    if ( !( *memory = malloc( size ? size : 1 ) ) ) return -1;
    if ( ( *file = memfd_create( "ws2host-datagram", MFD_CLOEXEC ) ) >= 0 ) return 0;
    free( *memory );
    return -1;
}

static ssize_t end( int file, char *memory, ssize_t result )
{
    const int error = errno;

    close( file );
    free( memory );
    errno = error;
    return result;
}

ssize_t vectors_send( int fd, const struct msghdr *message, int flags )
{
    struct msghdr whole = *message;
    struct iovec one;
    ssize_t n = -1;
    int file;
    char *memory;

    one.iov_len = size_of( message->msg_iov, message->msg_iovlen );
    if ( begin( one.iov_len, &file, &memory ) ) return -1;
    one.iov_base = memory;
    whole.msg_iov = &one;
    whole.msg_iovlen = 1;
    if ( one.iov_len == LARGEST_DATAGRAM ) errno = EMSGSIZE;
    else if ( !move( pwritev, file, message->msg_iov, message->msg_iovlen, one.iov_len ) &&
              pread( file, memory, one.iov_len, 0 ) == (ssize_t)one.iov_len )
        n = sendmsg( fd, &whole, flags );
    return end( file, memory, n );
}

ssize_t vectors_receive( int fd, struct msghdr *message, int flags )
{
    const struct iovec *vectors = message->msg_iov;
    const size_t count = message->msg_iovlen;
    struct iovec one;
    ssize_t n;
    int file;
    char *memory;

    one.iov_len = size_of( vectors, count );
    if ( begin( one.iov_len, &file, &memory ) ) return -1;
    one.iov_base = memory;
    message->msg_iov = &one;
    message->msg_iovlen = 1;
    n = recvmsg( fd, message, flags );
    message->msg_iov = (struct iovec *)vectors;
    message->msg_iovlen = count;
    if ( n > 0 && ( pwrite( file, memory, n, 0 ) != n || move( preadv, file, vectors, count, n ) ) ) n = -1;
    return end( file, memory, n );
}

void vectors_read( uint64_t user, uint32_t count, struct iovec *vectors, uint32_t *total )
{
    const struct windows_buffer *buffers = (const struct windows_buffer *)(uintptr_t)user;
    const struct windows_buffer32 *buffers32 = (const struct windows_buffer32 *)(uintptr_t)user;
    uint64_t sum = 0;

    for ( uint32_t i = 0; i < count; i++ )
    {
        if ( CALLER_IS_32 )
        {
            vectors[i].iov_base = (void *)(uintptr_t)buffers32[i].pointer;
            vectors[i].iov_len = buffers32[i].size;
            sum += buffers32[i].size;
            continue;
        }
        vectors[i].iov_base = (void *)(uintptr_t)buffers[i].pointer;
        vectors[i].iov_len = buffers[i].size;
        sum += buffers[i].size;
    }
    *total = sum > UINT32_MAX ? UINT32_MAX : sum;
}
