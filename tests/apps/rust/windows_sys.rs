// The part of the crate windows-sys 0.36 that Debian's mio and parking_lot_core use on Windows; Debian has that crate not.
// Names, types and module paths are windows-sys', by which they are found.
#![allow(non_snake_case, non_camel_case_types, clippy::upper_case_acronyms)]
pub mod Win32 {
    pub mod Foundation {
        pub type HANDLE = isize;
        pub type BOOL = i32;
        pub type BOOLEAN = u8;
        pub type NTSTATUS = i32;
        pub type WIN32_ERROR = u32;
        pub const INVALID_HANDLE_VALUE: HANDLE = -1;
        pub const STATUS_SUCCESS: NTSTATUS = 0;
        pub const STATUS_TIMEOUT: NTSTATUS = 0x102;
        pub const STATUS_PENDING: NTSTATUS = 0x103;
        pub const STATUS_CANCELLED: NTSTATUS = 0xC0000120u32 as i32;
        pub const STATUS_NOT_FOUND: NTSTATUS = 0xC0000225u32 as i32;
        pub const ERROR_INVALID_HANDLE: WIN32_ERROR = 6;
        pub const ERROR_BROKEN_PIPE: WIN32_ERROR = 109;
        pub const ERROR_NO_DATA: WIN32_ERROR = 232;
        pub const WAIT_TIMEOUT: WIN32_ERROR = 258;
        pub const ERROR_PIPE_CONNECTED: WIN32_ERROR = 535;
        pub const ERROR_PIPE_LISTENING: WIN32_ERROR = 536;
        pub const ERROR_IO_INCOMPLETE: WIN32_ERROR = 996;
        pub const ERROR_IO_PENDING: WIN32_ERROR = 997;
        #[repr(C)]
        pub struct UNICODE_STRING {
            pub Length: u16,
            pub MaximumLength: u16,
            pub Buffer: *mut u16,
        }
        #[link(name = "kernel32")]
        extern "system" {
            pub fn CloseHandle(handle: HANDLE) -> BOOL;
        }
        #[link(name = "ntdll")]
        extern "system" {
            pub fn RtlNtStatusToDosError(status: NTSTATUS) -> u32;
        }
    }
    pub mod Networking {
        pub mod WinSock {
            use crate::Win32::System::IO::OVERLAPPED;
            use core::ffi::c_void;
            pub type SOCKET = usize;
            pub const INVALID_SOCKET: SOCKET = !0;
            pub const SOCKET_ERROR: i32 = -1;
            pub const AF_INET: u32 = 2;
            pub const AF_INET6: u32 = 23;
            pub const SOCK_STREAM: u16 = 1;
            pub const SOCK_DGRAM: u16 = 2;
            pub const IPPROTO_IPV6: i32 = 41;
            pub const IPV6_V6ONLY: i32 = 27;
            pub const FIONBIO: i32 = 0x8004667Eu32 as i32;
            pub const SIO_BASE_HANDLE: u32 = 0x48000022;
            pub const SIO_BSP_HANDLE: u32 = 0x4800001B;
            pub const SIO_BSP_HANDLE_SELECT: u32 = 0x4800001C;
            pub const SIO_BSP_HANDLE_POLL: u32 = 0x4800001D;
            #[repr(C)]
            pub struct SOCKADDR {
                pub sa_family: u16,
                pub sa_data: [u8; 14],
            }
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub union IN_ADDR_0 {
                pub S_addr: u32,
            }
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub struct IN_ADDR {
                pub S_un: IN_ADDR_0,
            }
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub union IN6_ADDR_0 {
                pub Byte: [u8; 16],
                pub Word: [u16; 8],
            }
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub struct IN6_ADDR {
                pub u: IN6_ADDR_0,
            }
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub struct SOCKADDR_IN {
                pub sin_family: u16,
                pub sin_port: u16,
                pub sin_addr: IN_ADDR,
                pub sin_zero: [u8; 8],
            }
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub union SOCKADDR_IN6_0 {
                pub sin6_scope_id: u32,
            }
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub struct SOCKADDR_IN6 {
                pub sin6_family: u16,
                pub sin6_port: u16,
                pub sin6_flowinfo: u32,
                pub sin6_addr: IN6_ADDR,
                pub Anonymous: SOCKADDR_IN6_0,
            }
            #[link(name = "ws2_32")]
            extern "system" {
                pub fn socket(family: i32, kind: i32, protocol: i32) -> SOCKET;
                pub fn bind(s: SOCKET, name: *const SOCKADDR, length: i32) -> i32;
                pub fn connect(s: SOCKET, name: *const SOCKADDR, length: i32) -> i32;
                pub fn listen(s: SOCKET, backlog: i32) -> i32;
                pub fn closesocket(s: SOCKET) -> i32;
                pub fn ioctlsocket(s: SOCKET, command: i32, argument: *mut u32) -> i32;
                pub fn getsockopt(s: SOCKET, level: i32, name: i32, value: *mut u8, length: *mut i32) -> i32;
                pub fn WSAGetLastError() -> i32;
                pub fn WSAIoctl(
                    s: SOCKET,
                    code: u32,
                    input: *const c_void,
                    input_size: u32,
                    output: *mut c_void,
                    output_size: u32,
                    returned: *mut u32,
                    overlapped: *mut OVERLAPPED,
                    routine: Option<unsafe extern "system" fn(u32, u32, *mut OVERLAPPED, u32)>,
                ) -> i32;
            }
        }
    }
    pub mod Security {
        pub struct SECURITY_ATTRIBUTES {
            _whole: [usize; 3],
        }
    }
    pub mod Storage {
        pub mod FileSystem {
            use crate::Win32::Foundation::{BOOL, HANDLE, NTSTATUS};
            use crate::Win32::System::WindowsProgramming::{IO_STATUS_BLOCK, OBJECT_ATTRIBUTES};
            use crate::Win32::System::IO::OVERLAPPED;
            use core::ffi::c_void;
            pub const SYNCHRONIZE: u32 = 0x100000;
            pub const FILE_SHARE_READ: u32 = 1;
            pub const FILE_SHARE_WRITE: u32 = 2;
            pub const FILE_OPEN: u32 = 1;
            pub const FILE_FLAG_FIRST_PIPE_INSTANCE: u32 = 0x80000;
            pub const FILE_FLAG_OVERLAPPED: u32 = 0x40000000;
            pub const PIPE_ACCESS_DUPLEX: u32 = 3;
            #[link(name = "ntdll")]
            extern "system" {
                pub fn NtCreateFile(
                    handle: *mut HANDLE,
                    access: u32,
                    attributes: *mut OBJECT_ATTRIBUTES,
                    status: *mut IO_STATUS_BLOCK,
                    size: *mut i64,
                    file_attributes: u32,
                    share: u32,
                    disposition: u32,
                    options: u32,
                    extended: *mut c_void,
                    extended_length: u32,
                ) -> NTSTATUS;
            }
            #[link(name = "kernel32")]
            extern "system" {
                pub fn SetFileCompletionNotificationModes(handle: HANDLE, flags: u8) -> BOOL;
                pub fn ReadFile(file: HANDLE, data: *mut c_void, length: u32, read: *mut u32, overlapped: *mut OVERLAPPED) -> BOOL;
                pub fn WriteFile(file: HANDLE, data: *const u8, length: u32, written: *mut u32, overlapped: *mut OVERLAPPED) -> BOOL;
            }
        }
    }
    pub mod System {
        pub mod IO {
            use crate::Win32::Foundation::{BOOL, HANDLE};
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub struct OVERLAPPED {
                pub Internal: usize,
                pub InternalHigh: usize,
                pub Anonymous: u64,
                pub hEvent: HANDLE,
            }
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub struct OVERLAPPED_ENTRY {
                pub lpCompletionKey: usize,
                pub lpOverlapped: *mut OVERLAPPED,
                pub Internal: usize,
                pub dwNumberOfBytesTransferred: u32,
            }
            #[link(name = "kernel32")]
            extern "system" {
                pub fn CreateIoCompletionPort(file: HANDLE, port: HANDLE, key: usize, threads: u32) -> HANDLE;
                pub fn GetQueuedCompletionStatusEx(
                    port: HANDLE,
                    entries: *mut OVERLAPPED_ENTRY,
                    count: u32,
                    removed: *mut u32,
                    milliseconds: u32,
                    alertable: BOOL,
                ) -> BOOL;
                pub fn PostQueuedCompletionStatus(port: HANDLE, bytes: u32, key: usize, overlapped: *const OVERLAPPED) -> BOOL;
                pub fn CancelIoEx(file: HANDLE, overlapped: *const OVERLAPPED) -> BOOL;
                pub fn GetOverlappedResult(file: HANDLE, overlapped: *const OVERLAPPED, bytes: *mut u32, wait: BOOL) -> BOOL;
            }
        }
        pub mod LibraryLoader {
            #[link(name = "kernel32")]
            extern "system" {
                pub fn GetModuleHandleA(name: *const u8) -> isize;
                pub fn GetProcAddress(module: isize, name: *const u8) -> Option<unsafe extern "system" fn() -> isize>;
            }
        }
        pub mod Pipes {
            use crate::Win32::Foundation::{BOOL, HANDLE};
            use crate::Win32::Security::SECURITY_ATTRIBUTES;
            use crate::Win32::System::IO::OVERLAPPED;
            pub const PIPE_TYPE_BYTE: u32 = 0;
            pub const PIPE_UNLIMITED_INSTANCES: u32 = 255;
            #[link(name = "kernel32")]
            extern "system" {
                pub fn ConnectNamedPipe(pipe: HANDLE, overlapped: *mut OVERLAPPED) -> BOOL;
                pub fn DisconnectNamedPipe(pipe: HANDLE) -> BOOL;
                pub fn CreateNamedPipeW(
                    name: *const u16,
                    open_mode: u32,
                    pipe_mode: u32,
                    instances: u32,
                    output_size: u32,
                    input_size: u32,
                    milliseconds: u32,
                    security: *const SECURITY_ATTRIBUTES,
                ) -> HANDLE;
            }
        }
        pub mod WindowsProgramming {
            use crate::Win32::Foundation::{HANDLE, NTSTATUS, UNICODE_STRING};
            use core::ffi::c_void;
            pub const FILE_SKIP_SET_EVENT_ON_HANDLE: u32 = 2;
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub union IO_STATUS_BLOCK_0 {
                pub Status: NTSTATUS,
                pub Pointer: *mut c_void,
            }
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub struct IO_STATUS_BLOCK {
                pub Anonymous: IO_STATUS_BLOCK_0,
                pub Information: usize,
            }
            #[repr(C)]
            pub struct OBJECT_ATTRIBUTES {
                pub Length: u32,
                pub RootDirectory: HANDLE,
                pub ObjectName: *mut UNICODE_STRING,
                pub Attributes: u32,
                pub SecurityDescriptor: *mut c_void,
                pub SecurityQualityOfService: *mut c_void,
            }
            #[link(name = "ntdll")]
            extern "system" {
                pub fn NtDeviceIoControlFile(
                    file: HANDLE,
                    event: HANDLE,
                    routine: Option<unsafe extern "system" fn(*mut c_void, *mut IO_STATUS_BLOCK, u32)>,
                    context: *mut c_void,
                    status: *mut IO_STATUS_BLOCK,
                    code: u32,
                    input: *mut c_void,
                    input_size: u32,
                    output: *mut c_void,
                    output_size: u32,
                ) -> NTSTATUS;
            }
        }
    }
}
