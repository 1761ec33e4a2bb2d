/* As much of NT as dlls/ws2_32/ports needs, for the host's compiler: types, and what is to be had without Windows. */
#ifndef FUZZ_WINTERNL_H
#define FUZZ_WINTERNL_H

#include <pthread.h>
#include <sched.h>
#include <winsock2.h>

typedef uint8_t UINT8, BOOLEAN;
typedef int64_t LONGLONG;
typedef size_t SIZE_T;
typedef ULONG ACCESS_MASK;
typedef void ( *FARPROC )( void );

/* named in headers only */
typedef struct UNICODE_STRING UNICODE_STRING;
typedef struct SECURITY_ATTRIBUTES SECURITY_ATTRIBUTES;

typedef union
{
    LONGLONG QuadPart;
} LARGE_INTEGER;

typedef struct
{
    DWORD dwLowDateTime, dwHighDateTime;
} FILETIME;

typedef struct
{
    DWORD dwNumberOfProcessors;
} SYSTEM_INFO;

typedef struct
{
    void *ObjectName;
    ULONG Attributes;
} OBJECT_ATTRIBUTES;

typedef struct
{
    ULONG Attributes;
    ACCESS_MASK GrantedAccess;
    ULONG HandleCount, PointerCount, Reserved[10];
} PUBLIC_OBJECT_BASIC_INFORMATION;

#define OBJ_INHERIT 0x2
#define STATUS_TIMEOUT NT_STATUS( 0x102 )
#define WAIT_IO_COMPLETION 0xc0
#define MAXIMUM_WAIT_OBJECTS 64
#define MAXLONG 0x7fffffff
#define min( a, b ) ( ( a ) < ( b ) ? ( a ) : ( b ) )
#define max( a, b ) ( ( a ) > ( b ) ? ( a ) : ( b ) )

typedef pthread_rwlock_t SRWLOCK;
#define SRWLOCK_INIT PTHREAD_RWLOCK_INITIALIZER
static inline void InitializeSRWLock( SRWLOCK *lock ) { pthread_rwlock_init( lock, NULL ); }
static inline void AcquireSRWLockShared( SRWLOCK *lock ) { pthread_rwlock_rdlock( lock ); }
static inline void ReleaseSRWLockShared( SRWLOCK *lock ) { pthread_rwlock_unlock( lock ); }
static inline void AcquireSRWLockExclusive( SRWLOCK *lock ) { pthread_rwlock_wrlock( lock ); }
static inline BOOL TryAcquireSRWLockShared( SRWLOCK *lock ) { return !pthread_rwlock_tryrdlock( lock ); }
static inline BOOL TryAcquireSRWLockExclusive( SRWLOCK *lock ) { return !pthread_rwlock_trywrlock( lock ); }
static inline BOOLEAN RtlDllShutdownInProgress( void ) { return FALSE; }
static inline void ReleaseSRWLockExclusive( SRWLOCK *lock ) { pthread_rwlock_unlock( lock ); }

static inline void YieldProcessor( void ) {}
static inline BOOL SwitchToThread( void ) { return !sched_yield(); }

static inline LONG InterlockedIncrement( volatile LONG *value )
{
    return __atomic_add_fetch( value, 1, __ATOMIC_SEQ_CST );
}
static inline LONG InterlockedDecrement( volatile LONG *value )
{
    return __atomic_sub_fetch( value, 1, __ATOMIC_SEQ_CST );
}
static inline LONG InterlockedExchange( volatile LONG *target, LONG value )
{
    return __atomic_exchange_n( target, value, __ATOMIC_SEQ_CST );
}

DWORD GetTickCount( void );
DWORD GetCurrentThreadId( void );
DWORD GetCurrentProcessId( void );
DWORD SleepEx( DWORD ms, BOOL alertable );
void Sleep( DWORD ms );
void GetSystemInfo( SYSTEM_INFO *info );
void GetSystemTimeAsFileTime( FILETIME *time );
BOOL QueryPerformanceFrequency( LARGE_INTEGER *frequency );
BOOL QueryPerformanceCounter( LARGE_INTEGER *counter );

#endif
