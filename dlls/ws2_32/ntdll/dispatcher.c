/*
 * Hooks without a look at any thunk's shape: all thunks call through one pointer, with the call's number in eax, and ours
 * stands there. It asks a table by number for the hook's function; what has none goes on to where the pointer led before.
 *
 * In 64 bits the pointer is at 0x7ffe1000, in a page that each process has for itself, to read and write, and that VirtualQuery
 * does not know; in 32 bits it is a variable that ntdll exports. A loader that changes the pointer later (for a callback of
 * instrumentation) takes the hooks out with it.
 *
 * A thunk must only show its number, and that it leads there. That it does is tried once, with a call that does nothing.
 */
#include "base/ws2_32_private.h"
#include "ntdll/dispatcher.h"

#define NUMBER_COUNT 0x400 /* of ntdll's calls; those of win32u begin with 0x1000 */
/* bytes of a thunk that are looked at: behind them stands the next one */
#ifdef __i386__
#define THUNK_MOST 16
#else
#define THUNK_MOST 32
#endif
#define MOVE_TO_EAX 0xb8

static void *functions[NUMBER_COUNT] __asm__( "ws2_dispatcher_functions" ) __attribute__( ( used ) );
static void *before __asm__( "ws2_dispatcher_before" ) __attribute__( ( used ) );
void stand_in( void ) __asm__( "ws2_dispatcher_stand_in" );

/* The thunk's own return address is dropped: the function returns to the thunk's caller, as the thunk would. */
#ifdef __i386__
__asm__( ".text\n"
         "ws2_dispatcher_stand_in:\n\t"
         "cmpl $0x400,%eax\n\t"
         "jae 1f\n\t"
         "movl ws2_dispatcher_functions(,%eax,4),%edx\n\t"
         "testl %edx,%edx\n\t"
         "jz 1f\n\t"
         "addl $4,%esp\n\t"
         "jmp *%edx\n"
         "1:\tjmp *ws2_dispatcher_before\n" );
#else
__asm__( ".text\n"
         "ws2_dispatcher_stand_in:\n\t"
         "cmpl $0x400,%eax\n\t"
         "jae 1f\n\t"
         "movl %eax,%eax\n\t"
         "leaq ws2_dispatcher_functions(%rip),%r11\n\t"
         "movq (%r11,%rax,8),%r11\n\t"
         "testq %r11,%r11\n\t"
         "jz 1f\n\t"
         "addq $8,%rsp\n\t"
         "jmp *%r11\n"
         "1:\tjmp *ws2_dispatcher_before(%rip)\n" );
#endif
_Static_assert( NUMBER_COUNT == 0x400, "stand_in has it too" );

static void **find_place( void )
{
#ifdef __i386__
    return (void **)(UINT_PTR)GetProcAddress( GetModuleHandleW( L"ntdll.dll" ), "__wine_syscall_dispatcher" );
#else
    return (void **)0x7ffe1000;
#endif
}

#define UNKNOWN 0xffffffff

static UINT32 find_number( const unsigned char *thunk )
{
    UINT32 number;

    for ( unsigned int i = 0; i + 5 <= THUNK_MOST; i++ )
    {
        if ( thunk[i] != MOVE_TO_EAX ) continue;
        memcpy( &number, thunk + i + 1, sizeof( number ) );
        if ( number < NUMBER_COUNT ) return number;
    }
    return UNKNOWN;
}

#ifdef __i386__

static BOOL is_in_ntdll( UINT_PTR address )
{
    const UINT_PTR base = (UINT_PTR)GetModuleHandleW( L"ntdll.dll" );
    const IMAGE_NT_HEADERS *headers = (const void *)( base + ( (const IMAGE_DOS_HEADER *)base )->e_lfanew );

    return address >= base && address < base + headers->OptionalHeader.SizeOfImage - 6;
}

/* jmp *place */
static BOOL jumps_there( UINT_PTR code, void *const *place )
{
    return is_in_ntdll( code ) && *(const WORD *)code == 0x25ff && *(void *const *const *)( code + 2 ) == place;
}

/* call *place, or mov $code,%edx for a call of what jumps there, or a call of that */
static BOOL leads_there( const unsigned char *thunk, void *const *place )
{
    for ( unsigned int i = 0; i + 6 <= THUNK_MOST; i++ )
    {
        UINT32 value;

        if ( thunk[i] == 0xff && thunk[i + 1] == 0x15 && !memcmp( thunk + i + 2, &place, 4 ) ) return TRUE;
        memcpy( &value, thunk + i + 1, sizeof( value ) );
        if ( thunk[i] == 0xba && jumps_there( value, place ) ) return TRUE;
        if ( thunk[i] == 0xe8 && jumps_there( (UINT_PTR)thunk + i + 5 + value, place ) ) return TRUE;
    }
    return FALSE;
}

#else

/* call *0x7ffe1000 */
static BOOL leads_there( const unsigned char *thunk, void *const *place )
{
    static const unsigned char call[] = { 0xff, 0x14, 0x25, 0x00, 0x10, 0xfe, 0x7f };

    (void)place;
    for ( unsigned int i = 0; i + sizeof( call ) <= THUNK_MOST; i++ )
        if ( !memcmp( thunk + i, call, sizeof( call ) ) ) return TRUE;
    return FALSE;
}

#endif

BOOL dispatcher_knows( unsigned char *const thunks[HOOK_COUNT] )
{
    void *const *place = find_place();

    if ( !place ) return FALSE;
    for ( unsigned int i = 0; i < HOOK_COUNT; i++ )
        if ( thunks[i] && ( find_number( thunks[i] ) == UNKNOWN || !leads_there( thunks[i], place ) ) ) return FALSE;
    return TRUE;
}

/* What a thunk does, through where the pointer led before. In 64 bits the loader returns not to where it was called from but
 * 11 bytes before it, where thunks have a ret behind their syscall. */
struct stub
{
#ifdef __i386__
    unsigned char code[16];
#else
    unsigned char code[24];
    void *before;
#endif
};

static void write_stub( struct stub *stub, UINT32 number, unsigned int arguments )
{
#ifdef __i386__
    /* mov $number,%eax; mov $before,%edx; call *%edx; ret bytes; nop */
    static const unsigned char code[] = { 0xb8, 0, 0, 0, 0, 0xba, 0, 0, 0, 0, 0xff, 0xd2, 0xc2, 0, 0, 0x90 };

    memcpy( stub->code, code, sizeof( code ) );
    memcpy( stub->code + 1, &number, sizeof( number ) );
    memcpy( stub->code + 6, &before, sizeof( before ) );
    stub->code[13] = arguments * 4;
#else
    /* mov %rcx,%r10; mov $number,%eax; jmp 1f; ret, five times; 1: call *before; ret */
    static const unsigned char code[] = { 0x4c, 0x8b, 0xd1, 0xb8, 0,    0,    0, 0, 0xeb, 0x05, 0xc3, 0xc3,
                                          0xc3, 0xc3, 0xc3, 0xff, 0x15, 0x03, 0, 0, 0,    0xc3, 0xc3, 0xc3 };

    (void)arguments;
    memcpy( stub->code, code, sizeof( code ) );
    memcpy( stub->code + 4, &number, sizeof( number ) );
    stub->before = before;
#endif
}

/* Each parameter is a word of the stack in 32 bits. */
#define COUNT_OF( a, b, c, d, e, f, g, h, i, j, k, count, ... ) count
#define COUNT( ... ) COUNT_OF( __VA_ARGS__, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 )
static const unsigned char argument_counts[HOOK_COUNT] = {
#define X( name, parameters ) COUNT parameters,
    HOOKS( X )
#undef X
};

static DWORD trial_thread;
static BOOL trial_came;
static NTSTATUS( NTAPI *trial_original )( HANDLE, ULONG_PTR, ULONG_PTR, NTSTATUS, SIZE_T );

static NTSTATUS NTAPI trial( HANDLE port, ULONG_PTR key, ULONG_PTR value, NTSTATUS status, SIZE_T information )
{
    if ( GetCurrentThreadId() != trial_thread ) return trial_original( port, key, value, status, information );
    trial_came = TRUE;
    return 0;
}

/* NtSetIoCompletion of no port, which does nothing where it is not ours. */
static BOOL try_it( struct stub *stub )
{
    unsigned char *thunk =
        (unsigned char *)(UINT_PTR)GetProcAddress( GetModuleHandleW( L"ntdll.dll" ), "NtSetIoCompletion" );
    const UINT32 number = thunk ? find_number( thunk ) : UNKNOWN;

    if ( number == UNKNOWN ) return FALSE;
    write_stub( stub, number, argument_counts[HOOK_OF_NtSetIoCompletion] );
    trial_original = (void *)stub;
    trial_thread = GetCurrentThreadId();
    trial_came = FALSE;
    __atomic_store_n( &functions[number], trial, __ATOMIC_SEQ_CST );
    ( ( NTSTATUS( NTAPI * )( HANDLE, ULONG_PTR, ULONG_PTR, NTSTATUS, SIZE_T ) )(void *)thunk )( NULL, 0, 0, 0, 0 );
    __atomic_store_n( &functions[number], NULL, __ATOMIC_SEQ_CST );
    return trial_came;
}

/* The pointer leads to ours; FALSE when it cannot be, or is of no use, and then it does not. Once. */
static BOOL take_place( struct stub *stub )
{
    static BOOL taken;
    void **const place = find_place();
    DWORD protection;

    if ( taken ) return TRUE;
    if ( sizeof( void * ) == 4 && !VirtualProtect( place, sizeof( *place ), PAGE_READWRITE, &protection ) )
        return FALSE;
    before = *place;
    __atomic_store_n( place, stand_in, __ATOMIC_SEQ_CST );
    if ( ( taken = try_it( stub ) ) ) return TRUE;
    __atomic_store_n( place, before, __ATOMIC_SEQ_CST ); /* who is in ours goes on to where it led */
    return FALSE;
}

BOOL dispatcher_install( const struct hook hooks[HOOK_COUNT], unsigned char *const thunks[HOOK_COUNT] )
{
    struct stub *stubs =
        VirtualAlloc( NULL, ( HOOK_COUNT + 1 ) * sizeof( *stubs ), MEM_RESERVE | MEM_COMMIT, PAGE_EXECUTE_READWRITE );
    DWORD ignored;

    if ( !stubs || !take_place( &stubs[HOOK_COUNT] ) ) return FALSE;
    for ( unsigned int i = 0; i < HOOK_COUNT; i++ )
    {
        if ( !thunks[i] ) continue;
        write_stub( &stubs[i], find_number( thunks[i] ), argument_counts[i] );
        *hooks[i].original = &stubs[i];
    }
    VirtualProtect( stubs, ( HOOK_COUNT + 1 ) * sizeof( *stubs ), PAGE_EXECUTE_READ, &ignored );
    for ( unsigned int i = 0; i < HOOK_COUNT; i++ )
        if ( thunks[i] ) __atomic_store_n( &functions[find_number( thunks[i] )], hooks[i].function, __ATOMIC_SEQ_CST );
    return TRUE;
}
