/*
 * Per-thread data, in a fibre-local slot because its callback runs at the end of each thread, without DllMain. Only the
 * owning thread touches it, which finds it faster in a thread-local slot: a thread of several fibres has one.
 */
#include "base/ws2_32_private.h"
#include "base/thread_data.h"
#include "base/upcalls.h"

static INIT_ONCE slot_once = INIT_ONCE_STATIC_INIT;
static DWORD slot = FLS_OUT_OF_INDEXES;
DWORD thread_data_slot = TLS_OUT_OF_INDEXES;

static void WINAPI thread_data_free( void *value )
{
    struct thread_data *data = value;

    if ( !data || RtlDllShutdownInProgress() ) return; /* all goes with the process */
    if ( thread_data_now() == data ) thread_teb()->TlsSlots[thread_data_slot] = NULL;
    /* a fibre of a thread that goes on is deleted by another: that thread may be using it */
    else if ( data->id != GetCurrentThreadId() ) return;
    ws2_upcalls.thread_ends( data );
    free( data->host.memory );
    free( data->service.memory );
    free( data->protocol.memory );
    free( data );
}

static BOOL WINAPI allocate_slot( INIT_ONCE *init, void *parameter, void **context )
{
    (void)init, (void)parameter, (void)context;
    slot = FlsAlloc( thread_data_free );
    thread_data_slot = TlsAlloc();
    return slot != FLS_OUT_OF_INDEXES;
}

/* The DLL goes: its callback must not be called any more. */
static void __attribute__( ( destructor ) ) free_slot( void )
{
    if ( slot != FLS_OUT_OF_INDEXES ) FlsFree( slot );
    if ( thread_data_slot != TLS_OUT_OF_INDEXES ) TlsFree( thread_data_slot );
}

struct thread_data *thread_data( void )
{
    struct thread_data *data = thread_data_now();

    if ( data ) return data;
    if ( !InitOnceExecuteOnce( &slot_once, allocate_slot, NULL, NULL ) ) return NULL;
    if ( !( data = FlsGetValue( slot ) ) && ( data = calloc( 1, sizeof( *data ) ) ) )
    {
        data->id = GetCurrentThreadId();
        FlsSetValue( slot, data );
    }
    if ( data && data->id == GetCurrentThreadId() && thread_data_slot < THREAD_SLOTS )
        thread_teb()->TlsSlots[thread_data_slot] = data;
    return data;
}

void *thread_buffer( struct thread_buffer *buffer, size_t size )
{
    void *memory;

    if ( size > buffer->size )
    {
        if ( size < 0x400 ) size = 0x400;
        if ( !( memory = malloc( size ) ) ) return NULL;
        free( buffer->memory );
        buffer->memory = memory;
        buffer->size = size;
    }
    return buffer->memory;
}
