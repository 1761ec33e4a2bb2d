/*
 * Thunks of a known shape: each is replaced by itself.
 *
 * They are position-independent: a copy of one is the original, callable, and a jump over its first bytes leads to the hook,
 * while other threads may be running the very thunk. It is never undone.
 */
#include "base/ws2_32_private.h"
#include "ntdll/thunks.h"

#ifdef __i386__

/* The thunk of Wine 8.0 to 10.0 for 32-bit programs, the same over a host half of either width:
 *   mov $number,%eax; mov $__wine_syscall,%edx; call *%edx; ret $bytes; nop */
#define THUNK_SIZE 16
static const unsigned char thunk_shape[THUNK_SIZE] = {
    0xb8, 0, 0, 0, 0, 0xba, 0, 0, 0, 0, 0xff, 0xd2, 0xc2, 0, 0, 0x90,
};
static const unsigned char thunk_varies[THUNK_SIZE] = { 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 1 };

#else

/* The thunk of Wine 8.0 to 10.0, XX where the number of the call stands:
 *   mov %rcx,%r10; mov $number,%eax; testb $1,0x7ffe0308; jne 1f; syscall; ret; 1: jmp 2f; ret; 2: call *0x7ffe1000; ret */
#define THUNK_SIZE 32
static const unsigned char thunk_shape[THUNK_SIZE] = {
    0x4c, 0x8b, 0xd1, 0xb8, 0,    0,    0,    0,    0xf6, 0x04, 0x25, 0x08, 0x03, 0xfe, 0x7f, 0x01,
    0x75, 0x03, 0x0f, 0x05, 0xc3, 0xeb, 0x01, 0xc3, 0xff, 0x14, 0x25, 0x00, 0x10, 0xfe, 0x7f, 0xc3,
};
static const unsigned char thunk_varies[THUNK_SIZE] = { 0, 0, 0, 0, 1, 1, 1, 1 };
#define THUNK_NUMBER 4               /* offset of the four bytes that differ */

/* What is put near a thunk: the way to the hook's function, which may be further away than a short jump reaches, and the copy. */
struct trampoline
{
    unsigned char jump[16]; /* jmp *0(%rip), address */
    unsigned char copy[THUNK_SIZE];
};
#define TRAMPOLINE_ALIGNMENT 0x10000 /* of VirtualAlloc */

#endif

#define JUMP_SIZE 5

/* At `at`, or to be stored there: the way from there to `to`, within reach of 32 bits. */
static void write_jump( unsigned char bytes[JUMP_SIZE], const void *at, const void *to )
{
    const INT32 distance = (INT32)( (INT_PTR)to - ( (INT_PTR)at + JUMP_SIZE ) );

    bytes[0] = 0xe9;
    memcpy( bytes + 1, &distance, sizeof( distance ) );
}

BOOL thunk_is_known( const unsigned char *thunk )
{
    for ( unsigned int i = 0; i < THUNK_SIZE; i++ )
        if ( !thunk_varies[i] && thunk[i] != thunk_shape[i] ) return FALSE;
    /* clang aligns them to 4 bytes only; the one store must not cross a line of the cache */
    return ( (UINT_PTR)thunk & 63 ) <= 56;
}

#ifdef __i386__

static void begin_installing( const struct hook hooks[HOOK_COUNT], unsigned char *const all[HOOK_COUNT] )
{
    (void)hooks, (void)all;
}

/* The first instruction is as long as a jump, which reaches everything: no thread can be inside it, and eight bytes that
 * are stored at once hold it whole. */
static BOOL install_thunk( const struct hook *hook, unsigned char *thunk, unsigned int index )
{
    static unsigned char *copies;
    union
    {
        unsigned char bytes[8];
        UINT64 word;
    } start;
    unsigned char *copy;

    if ( !copies &&
         !( copies = VirtualAlloc( NULL, HOOK_COUNT * THUNK_SIZE, MEM_RESERVE | MEM_COMMIT, PAGE_EXECUTE_READWRITE ) ) )
        return FALSE;
    copy = copies + index * THUNK_SIZE;
    memcpy( copy, thunk, THUNK_SIZE );
    *hook->original = copy;

    memcpy( start.bytes, thunk, sizeof( start.bytes ) );
    write_jump( start.bytes, thunk, hook->function );
    __atomic_exchange_n( (UINT64 *)thunk, start.word, __ATOMIC_SEQ_CST ); /* locked: whole at any alignment */
    return TRUE;
}

#else

/* The trampoline's jump goes to the hook, however far. */
static void point( struct trampoline *trampoline, const struct hook *hook )
{
    static const unsigned char jump_far[6] = { 0xff, 0x25, 0, 0, 0, 0 };

    memcpy( trampoline->jump, jump_far, sizeof( jump_far ) );
    memcpy( trampoline->jump + sizeof( jump_far ), &hook->function, sizeof( hook->function ) );
}

static struct trampoline *allocate_trampolines( UINT_PTR address, unsigned int count )
{
    return VirtualAlloc( (void *)address, count * sizeof( struct trampoline ), MEM_RESERVE | MEM_COMMIT,
                         PAGE_EXECUTE_READWRITE );
}

/* A jump of five bytes covers the thunk's first instruction, of three, and two bytes of the next. A thread may just stand
 * between the two. At one distance those two bytes of the jump are what they were, and that thread never notices. It costs
 * each hook a page, and six system calls. */
static struct trampoline *allocate_trampoline_exact( const unsigned char *thunk )
{
    INT32 distance = (INT32)( (UINT32)thunk[THUNK_NUMBER] << 24 | (UINT32)thunk[THUNK_NUMBER - 1] << 16 );
    UINT_PTR address =
        ( (UINT_PTR)thunk + 5 + distance + TRAMPOLINE_ALIGNMENT - 1 ) & ~(UINT_PTR)( TRAMPOLINE_ALIGNMENT - 1 );

    return allocate_trampolines( address, 1 );
}

/* Any place within reach, for when that one is taken or need not be. */
static struct trampoline *allocate_trampolines_near( const unsigned char *thunk, unsigned int count )
{
    UINT_PTR here = (UINT_PTR)thunk & ~(UINT_PTR)( TRAMPOLINE_ALIGNMENT - 1 );
    struct trampoline *trampoline;

    for ( UINT_PTR distance = 0x100000; distance < 0x70000000; distance += 0x100000 )
    {
        if ( ( trampoline = allocate_trampolines( here + distance, count ) ) ) return trampoline;
        if ( here > distance && ( trampoline = allocate_trampolines( here - distance, count ) ) ) return trampoline;
    }
    return NULL;
}

/* While the process has no other thread, none can stand there, and what the hooks need is one piece of memory: made for all
 * when the first are installed, which is in most processes when the DLL is loaded. */
static struct trampoline *together; /* HOOK_COUNT of them, or NULL */
static BOOL alone;                  /* what is installed just now goes there */

static void fill( struct trampoline *trampoline, const struct hook *hook, const unsigned char *thunk )
{
    point( trampoline, hook );
    memcpy( trampoline->copy, thunk, THUNK_SIZE );
}

static void make_together( const struct hook hooks[HOOK_COUNT], unsigned char *const all[HOOK_COUNT] )
{
    const unsigned char *first = NULL;
    DWORD ignored;

    for ( unsigned int i = 0; i < HOOK_COUNT && !first; i++ ) first = all[i];
    if ( !first || !( together = allocate_trampolines_near( first, HOOK_COUNT ) ) ) return;
    for ( unsigned int i = 0; i < HOOK_COUNT; i++ )
        if ( all[i] ) fill( &together[i], &hooks[i], all[i] );
    VirtualProtect( together, HOOK_COUNT * sizeof( *together ), PAGE_EXECUTE_READ, &ignored );
}

static void begin_installing( const struct hook hooks[HOOK_COUNT], unsigned char *const all[HOOK_COUNT] )
{
    struct ws2_alone_params params = { 0 };

    alone = !ws2host_call( ws2_call_alone, &params ) && params.alone;
    if ( alone && !together ) make_together( hooks, all );
}

/* Its trampoline there, unless the thunk has been changed since. */
static struct trampoline *find_together( const unsigned char *thunk, unsigned int index )
{
    return alone && together && !memcmp( together[index].copy, thunk, THUNK_SIZE ) ? &together[index] : NULL;
}

static struct trampoline *make_trampoline( const struct hook *hook, const unsigned char *thunk )
{
    struct trampoline *trampoline = allocate_trampoline_exact( thunk );
    DWORD ignored;

    if ( !trampoline && !( trampoline = allocate_trampolines_near( thunk, 1 ) ) ) return NULL;
    fill( trampoline, hook, thunk );
    VirtualProtect( trampoline, sizeof( *trampoline ), PAGE_EXECUTE_READ, &ignored );
    return trampoline;
}

/* The thunk is writable. */
static BOOL install_thunk( const struct hook *hook, unsigned char *thunk, unsigned int index )
{
    struct trampoline *trampoline = find_together( thunk, index );
    union
    {
        unsigned char bytes[8];
        UINT64 word;
    } start;

    if ( !trampoline && !( trampoline = make_trampoline( hook, thunk ) ) ) return FALSE;
    *hook->original = trampoline->copy;

    memcpy( start.bytes, thunk, sizeof( start.bytes ) );
    write_jump( start.bytes, thunk, trampoline->jump );
    /* one store, locked and so whole at any alignment: no thread sees half a jump */
    __atomic_exchange_n( (UINT64 *)thunk, start.word, __ATOMIC_SEQ_CST );
    return TRUE;
}

#endif

BOOL thunks_install( const struct hook hooks[HOOK_COUNT], unsigned char *const thunks[HOOK_COUNT],
                     unsigned char *const all[HOOK_COUNT] )
{
    unsigned char *first = NULL, *last = NULL;
    DWORD before, ignored;
    BOOL done = TRUE;

    for ( unsigned int i = 0; i < HOOK_COUNT; i++ )
    {
        if ( !thunks[i] ) continue;
        if ( !first || thunks[i] < first ) first = thunks[i];
        if ( thunks[i] > last ) last = thunks[i];
    }
    if ( !first ) return TRUE;
    /* the thunks of all system calls stand on two pages: opened and closed once */
    if ( !VirtualProtect( first, last + THUNK_SIZE - first, PAGE_EXECUTE_READWRITE, &before ) )
    {
        ws2_log( "ntdll's code cannot be written: no hooks in its system calls" );
        return FALSE;
    }
    begin_installing( hooks, all );
    for ( unsigned int i = 0; i < HOOK_COUNT; i++ )
        if ( thunks[i] && !install_thunk( &hooks[i], thunks[i], i ) )
        {
            ws2_log( "no memory within reach of ntdll for the hook of %s", hooks[i].name );
            done = FALSE;
        }
    VirtualProtect( first, last + THUNK_SIZE - first, before, &ignored );
    return done;
}

/* The loader's functions that programs patch begin with an instruction that does nothing; what follows is the original. */
#ifdef __i386__

/* Two bytes, with room for a jump to anywhere before them: a jump back to that one is as long, and stored at once. */
void function_patch( const struct hook *hook )
{
    static const unsigned char nothing[2] = { 0x8b, 0xff };   /* mov %edi,%edi */
    static const unsigned char jump_back[2] = { 0xeb, 0xf9 }; /* jmp .-5 */
    HMODULE module = GetModuleHandleW( L"kernelbase.dll" );
    unsigned char *function = module ? (unsigned char *)(UINT_PTR)GetProcAddress( module, hook->name ) : NULL;
    unsigned char *room;
    DWORD before, ignored;
    UINT16 start;

    if ( !function || memcmp( function, nothing, sizeof( nothing ) ) || ( (UINT_PTR)function & 1 ) ) return;
    room = function - JUMP_SIZE;
    for ( unsigned int i = 0; i < JUMP_SIZE; i++ )
        if ( room[i] != 0xcc && room[i] != 0x90 ) return;
    if ( !VirtualProtect( room, 7, PAGE_EXECUTE_READWRITE, &before ) ) return;
    write_jump( room, room, hook->function );
    *hook->original = function + sizeof( nothing );
    memcpy( &start, jump_back, sizeof( start ) );
    __atomic_store_n( (UINT16 *)function, start, __ATOMIC_SEQ_CST );
    VirtualProtect( room, 7, before, &ignored );
}

#else

/* Eight bytes: a jump goes there, to one that is put within reach. */
void function_patch( const struct hook *hook )
{
    static const unsigned char nothing[8] = { 0x48, 0x8d, 0xa4, 0x24 }; /* lea 0(%rsp),%rsp */
    HMODULE module = GetModuleHandleW( L"kernelbase.dll" );
    unsigned char *function = module ? (unsigned char *)(UINT_PTR)GetProcAddress( module, hook->name ) : NULL;
    struct trampoline *trampoline;
    union
    {
        unsigned char bytes[8];
        UINT64 word;
    } start = { { 0xe9, 0, 0, 0, 0, 0x90, 0x90, 0x90 } };
    DWORD before, ignored;

    if ( !function || memcmp( function, nothing, sizeof( nothing ) ) || ( (UINT_PTR)function & 63 ) > 56 ||
         !( trampoline = allocate_trampolines_near( function, 1 ) ) ||
         !VirtualProtect( function, sizeof( start ), PAGE_EXECUTE_READWRITE, &before ) )
        return;
    point( trampoline, hook );
    VirtualProtect( trampoline, sizeof( *trampoline ), PAGE_EXECUTE_READ, &ignored );
    *hook->original = function + sizeof( start );
    write_jump( start.bytes, function, trampoline->jump );
    __atomic_exchange_n( (UINT64 *)function, start.word, __ATOMIC_SEQ_CST );
    VirtualProtect( function, sizeof( start ), before, &ignored );
}

#endif
