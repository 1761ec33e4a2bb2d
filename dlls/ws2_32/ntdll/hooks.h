/*
 * Hooks in ntdll (hooks.c): the system calls that reach sockets without Winsock's knowledge.
 *
 * Every hook gets the handles of all files of the process. One that is no SOCKET of ours goes on to the original
 * after hooks_is_socket has said so, which costs one read of memory and no call; a hook that events
 * may come to reads another.
 */
#ifndef HOOKS_H
#define HOOKS_H

#include <winsock2.h>
#include <windows.h>
#include <winternl.h>
#include "ws2host/unixcall.h"

/* What the host half shows of its descriptor table (unixcall_hooks.h). Without hooks it is empty. */
struct hooks_view
{
    volatile UINT8 *map;
    UINT_PTR handles; /* that the map has room for */
    const volatile UINT32 *waiters;
};
extern struct hooks_view hooks_view;
/* All hooks are in place: no handle passes the program by. */
extern BOOL hooks_complete;

/* Whether a handle is one of the process's SOCKETs, and not one that is being closed. */
static inline BOOL hooks_is_socket( HANDLE handle )
{
    UINT_PTR index = (UINT_PTR)handle >> 2;

    return index < hooks_view.handles && hooks_view.map[index] == WS2_VIEW_SOCKET;
}

/* Whether a handle value is the pool's (sockets/handle_pool.c), so that it is no handle to the program. */
static inline BOOL hooks_is_free( HANDLE handle )
{
    UINT_PTR index = (UINT_PTR)handle >> 2;

    return index < hooks_view.handles && hooks_view.map[index] == WS2_VIEW_FREE;
}

/* Whether a handle is an event's that sockets of the process set, or have set (sockets/served_events.c). */
static inline BOOL hooks_is_event( HANDLE handle )
{
    UINT_PTR index = (UINT_PTR)handle >> 2;

    return index < hooks_view.handles && hooks_view.map[index] == WS2_VIEW_EVENT;
}

/* Handles that differ in their lowest bits are of one object. */
static inline BOOL is_same_handle( HANDLE a, HANDLE b ) { return !( ( (UINT_PTR)a ^ (UINT_PTR)b ) & ~(UINT_PTR)3 ); }

struct port_packet /* FILE_IO_COMPLETION_INFORMATION, not in the mingw-w64 headers */
{
    ULONG_PTR key, value;
    IO_STATUS_BLOCK iosb;
};

/* The system calls themselves: what stood in ntdll, callable whether or not the hooks are installed. */
#define HOOKS( X ) \
    X( NtClose, ( HANDLE handle ) ) \
    X( NtDuplicateObject, ( HANDLE source_process, HANDLE source, HANDLE target_process, HANDLE * target, \
                            ACCESS_MASK access, ULONG attributes, ULONG options ) ) \
    X( NtCreateUserProcess, \
       ( HANDLE * process, HANDLE * thread, ACCESS_MASK process_access, ACCESS_MASK thread_access, \
         void *process_attributes, void *thread_attributes, ULONG process_flags, ULONG thread_flags, void *parameters, \
         void *info, void *attributes ) ) \
    X( NtReadFile, ( HANDLE handle, HANDLE event, void *apc, void *apc_context, IO_STATUS_BLOCK *iosb, void *buffer, \
                     ULONG size, LARGE_INTEGER *offset, ULONG *key ) ) \
    X( NtWriteFile, ( HANDLE handle, HANDLE event, void *apc, void *apc_context, IO_STATUS_BLOCK *iosb, \
                      const void *buffer, ULONG size, LARGE_INTEGER *offset, ULONG *key ) ) \
    X( NtFsControlFile, ( HANDLE handle, HANDLE event, void *apc, void *apc_context, IO_STATUS_BLOCK *iosb, \
                          ULONG code, void *in, ULONG in_size, void *out, ULONG out_size ) ) \
    X( NtQueryAttributesFile, ( const OBJECT_ATTRIBUTES *attributes, void *information ) ) \
    X( NtQueryFullAttributesFile, ( const OBJECT_ATTRIBUTES *attributes, void *information ) ) \
    X( NtQueryInformationFile, ( HANDLE handle, IO_STATUS_BLOCK * iosb, void *information, ULONG size, ULONG class ) ) \
    X( NtQueryDirectoryFile, \
       ( HANDLE handle, HANDLE event, void *apc, void *apc_context, IO_STATUS_BLOCK *iosb, void *information, \
         ULONG size, ULONG class, BOOLEAN single, UNICODE_STRING *mask, BOOLEAN restart ) ) \
    X( NtSetInformationFile, ( HANDLE handle, IO_STATUS_BLOCK * iosb, void *information, ULONG size, ULONG class ) ) \
    X( NtCancelIoFile, ( HANDLE handle, IO_STATUS_BLOCK * iosb ) ) \
    X( NtCancelIoFileEx, ( HANDLE handle, IO_STATUS_BLOCK * which, IO_STATUS_BLOCK * iosb ) ) \
    X( NtCancelSynchronousIoFile, ( HANDLE thread, IO_STATUS_BLOCK * which, IO_STATUS_BLOCK * iosb ) ) \
    X( NtWaitForSingleObject, ( HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER *timeout ) ) \
    X( NtWaitForMultipleObjects, \
       ( ULONG count, const HANDLE *handles, BOOLEAN any, BOOLEAN alertable, const LARGE_INTEGER *timeout ) ) \
    X( NtSignalAndWaitForSingleObject, \
       ( HANDLE signalled, HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER *timeout ) ) \
    X( NtSetEvent, ( HANDLE handle, LONG * previous ) ) \
    X( NtResetEvent, ( HANDLE handle, LONG * previous ) ) \
    X( NtClearEvent, ( HANDLE handle ) ) \
    X( NtPulseEvent, ( HANDLE handle, LONG * previous ) ) \
    X( NtQueryEvent, ( HANDLE handle, ULONG class, void *information, ULONG size, ULONG *needed ) ) \
    X( NtCompareObjects, ( HANDLE first, HANDLE second ) ) \
    X( NtQueryVolumeInformationFile, \
       ( HANDLE handle, IO_STATUS_BLOCK * iosb, void *information, ULONG size, ULONG class ) ) \
    X( NtFlushBuffersFile, ( HANDLE handle, IO_STATUS_BLOCK * iosb ) ) \
    X( NtSetInformationObject, ( HANDLE handle, ULONG class, void *information, ULONG size ) ) \
    X( NtQueryObject, ( HANDLE handle, ULONG class, void *information, ULONG size, ULONG *needed ) ) \
    X( NtCreateFile, ( HANDLE * handle, ACCESS_MASK access, OBJECT_ATTRIBUTES * attributes, IO_STATUS_BLOCK * iosb, \
                       LARGE_INTEGER * allocation, ULONG file_attributes, ULONG sharing, ULONG disposition, \
                       ULONG options, void *ea, ULONG ea_size ) ) \
    X( NtOpenFile, ( HANDLE * handle, ACCESS_MASK access, OBJECT_ATTRIBUTES * attributes, IO_STATUS_BLOCK * iosb, \
                     ULONG sharing, ULONG options ) ) \
    X( NtDeviceIoControlFile, ( HANDLE handle, HANDLE event, void *apc, void *apc_context, IO_STATUS_BLOCK *iosb, \
                                ULONG code, void *in, ULONG in_size, void *out, ULONG out_size ) ) \
    X( NtCreateIoCompletion, \
       ( HANDLE * handle, ACCESS_MASK access, OBJECT_ATTRIBUTES * attributes, ULONG concurrency ) ) \
    X( NtSetIoCompletion, ( HANDLE port, ULONG_PTR key, ULONG_PTR value, NTSTATUS status, SIZE_T information ) ) \
    X( NtQueryIoCompletion, ( HANDLE port, ULONG class, void *information, ULONG size, ULONG *needed ) ) \
    X( NtRemoveIoCompletion, \
       ( HANDLE port, ULONG_PTR * key, ULONG_PTR * value, IO_STATUS_BLOCK * iosb, LARGE_INTEGER * timeout ) ) \
    X( NtRemoveIoCompletionEx, ( HANDLE port, struct port_packet * packets, ULONG count, ULONG * taken, \
                                 LARGE_INTEGER * timeout, BOOLEAN alertable ) ) \
    X( NtTerminateThread, ( HANDLE thread, LONG exit_status ) ) \
    X( NtTerminateProcess, ( HANDLE process, LONG exit_status ) ) \
    X( NtResetWriteWatch, ( HANDLE process, void *memory, SIZE_T size ) ) \
    X( NtGetWriteWatch, ( HANDLE process, ULONG flags, void *memory, SIZE_T size, void **addresses, ULONG_PTR *count, \
                          ULONG *granularity ) ) \
    X( NtQueueApcThread, ( HANDLE thread, void *function, ULONG_PTR a, ULONG_PTR b, ULONG_PTR c ) ) \
    X( NtQueueApcThreadEx, ( HANDLE thread, HANDLE reserve, void *function, ULONG_PTR a, ULONG_PTR b, ULONG_PTR c ) ) \
    X( NtQueueApcThreadEx2, \
       ( HANDLE thread, HANDLE reserve, ULONG flags, void *function, ULONG_PTR a, ULONG_PTR b, ULONG_PTR c ) )

enum
{
#define X( name, parameters ) HOOK_OF_##name,
    HOOKS( X )
#undef X
        HOOK_COUNT
};

#define X( name, parameters ) extern NTSTATUS( NTAPI *nt_##name ) parameters;
HOOKS( X )
#undef X

/* The hooks, each in the file of its concept. */
#define X( name, parameters ) NTSTATUS NTAPI hook_##name parameters;
HOOKS( X )
#undef X

struct hook
{
    const char *name;
    void *function;
    void **original;
};

/* A function above the system calls that is stood in for too, once hooks_patch was called, as what it is told does not reach them;
 * NULL: it is not. */
extern HANDLE( WINAPI *kernel_CreateFileW )( const WCHAR *name, DWORD access, DWORD sharing,
                                             SECURITY_ATTRIBUTES *security, DWORD disposition, DWORD flags,
                                             HANDLE template );
HANDLE WINAPI patch_CreateFileW( const WCHAR *name, DWORD access, DWORD sharing, SECURITY_ATTRIBUTES *security,
                                 DWORD disposition, DWORD flags, HANDLE template );

/* When the DLL is loaded: hands over the table and that function (start/hook_table.c), and installs only those
 * through which \Device\Afd is opened, which a program may do before WSAStartup. */
void hooks_install_early( const struct hook table[HOOK_COUNT], const struct hook *function );
/* Installs the others, once; they stay until the process ends. On a loader whose ntdll can be served in neither way
 * there are none, and a line of the log says so. */
void hooks_install( void );
/* Stands in for that function, once; only where the others are in place. */
void hooks_patch( void );

/* Connects the process to its server and installs the hooks, once: WSAStartup's part for the process, which may be
 * wanted before it (attach.c). */
int ws2_attach( void );

#endif
