//! What the operating system knows of a thread and of this program: CPU time, and where the engine's functions lie.
#![allow(unsafe_code, reason = "calls of the operating system and of the engine; argued at each")]

use std::ffi::{CStr, c_void};

pub(crate) use system::ThreadClock;

/// How much of what a clock of a thread says may have been another one's, in microseconds: Windows counts whole ticks of the machine.
pub(crate) const STEP_US: u64 = if cfg!(windows) { 15_625 } else { 0 };

#[cfg(not(any(windows, target_vendor = "apple")))]
mod system {
    /// Counts the CPU time of one thread.
    pub(crate) struct ThreadClock(libc::clockid_t);

    impl ThreadClock {
        /// That of the thread that asks.
        pub(crate) fn of_this_thread() -> Option<ThreadClock> {
            let mut clock = 0;
            // SAFETY: a thread that asks for itself lives, and the place it is told in is this function's.
            let status = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
            (status == 0).then_some(ThreadClock(clock))
        }

        /// In microseconds; nothing once the thread is gone.
        pub(crate) fn cpu_us(&self) -> Option<u64> {
            let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: a clock's number may be any, and the place is this function's.
            let status = unsafe { libc::clock_gettime(self.0, &raw mut time) };
            (status == 0).then_some(time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000)
        }
    }
}

#[cfg(target_vendor = "apple")]
mod system {
    /// Counts the CPU time of one thread.
    pub(crate) struct ThreadClock(libc::mach_port_t);

    impl ThreadClock {
        /// That of the thread that asks.
        pub(crate) fn of_this_thread() -> Option<ThreadClock> {
            // SAFETY: a thread that asks for itself lives.
            Some(ThreadClock(unsafe { libc::pthread_mach_thread_np(libc::pthread_self()) }))
        }

        /// In microseconds; nothing once the thread is gone.
        pub(crate) fn cpu_us(&self) -> Option<u64> {
            // SAFETY: all zeros are a value of these numbers.
            let mut info: libc::thread_basic_info = unsafe { std::mem::zeroed() };
            let (place, mut count) = ((&raw mut info).cast(), libc::THREAD_BASIC_INFO_COUNT);
            // SAFETY: a thread's name may be any; the place has the size that is said.
            let status =
                unsafe { libc::thread_info(self.0, libc::THREAD_BASIC_INFO as u32, place, &raw mut count) };
            let us = |time: libc::time_value_t| time.seconds as u64 * 1_000_000 + time.microseconds as u64;
            (status == libc::KERN_SUCCESS).then(|| us(info.user_time) + us(info.system_time))
        }
    }
}

#[cfg(windows)]
mod system {
    use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
    use windows_sys::Win32::System::Threading as threads;

    /// Counts the CPU time of one thread.
    pub(crate) struct ThreadClock(OwnedHandle);

    impl ThreadClock {
        /// That of the thread that asks.
        pub(crate) fn of_this_thread() -> Option<ThreadClock> {
            // SAFETY: numbers in, a handle out, null where it is refused; nobody else has it.
            unsafe {
                let asked = threads::THREAD_QUERY_LIMITED_INFORMATION;
                let handle = threads::OpenThread(asked, 0, threads::GetCurrentThreadId());
                (!handle.is_null()).then(|| ThreadClock(OwnedHandle::from_raw_handle(handle)))
            }
        }

        /// In microseconds; nothing once the thread is gone.
        pub(crate) fn cpu_us(&self) -> Option<u64> {
            let mut times = [0_u64; 4];
            let [begun, ended, kernel, user] = times.each_mut().map(|time| (&raw mut *time).cast());
            // SAFETY: the handle is open, and each place holds the two words of a time, the low one first.
            let status =
                unsafe { threads::GetThreadTimes(self.0.as_raw_handle(), begun, ended, kernel, user) };
            (status != 0).then_some((times[2] + times[3]) / 10)
        }
    }
}

/// A function that the program exports by this name; null where it does not.
fn exported(name: &CStr) -> *mut c_void {
    #[cfg(unix)]
    // SAFETY: the name ends with a zero; what is found belongs to what is loaded.
    return unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    #[cfg(windows)]
    // SAFETY: as above; the module without a name is the program itself, which stays.
    return unsafe {
        use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
        let found = GetProcAddress(GetModuleHandleW(std::ptr::null()), name.as_ptr().cast());
        found.map_or(std::ptr::null_mut(), |found| found as *mut c_void)
    };
}

#[cfg(not(windows))]
const NAMES: [&CStr; 3] = [
    c"_ZN2v87Isolate10GetCurrentEv",
    c"_ZN2v87Isolate18TerminateExecutionEv",
    c"_ZN2v87Isolate24CancelTerminateExecutionEv",
];
#[cfg(windows)]
const NAMES: [&CStr; 3] = [
    c"?GetCurrent@Isolate@v8@@SAPEAV12@XZ",
    c"?TerminateExecution@Isolate@v8@@QEAAXXZ",
    c"?CancelTerminateExecution@Isolate@v8@@QEAAXXZ",
];

/// A method without arguments.
type Method = unsafe extern "C" fn(*mut c_void);

/// The isolate of one environment, and how its JavaScript is stopped: `v8::Isolate::TerminateExecution`, `CancelTerminateExecution`.
#[derive(Clone, Copy)]
pub(crate) struct Isolate {
    isolate: *mut c_void,
    terminate: Method,
    cancel: Method,
}

// SAFETY: the engine says of both functions that any thread may call them while the isolate lives.
unsafe impl Send for Isolate {}
// SAFETY: as above.
unsafe impl Sync for Isolate {}

impl Isolate {
    /// That of the thread that asks; nothing where the program does not export what it takes.
    pub(crate) fn of_this_thread() -> Option<Isolate> {
        let [current, terminate, cancel] = NAMES.map(exported);
        if current.is_null() || terminate.is_null() || cancel.is_null() {
            return None;
        }
        // SAFETY: the mangled names state these types: a static function, and two methods without arguments, whose object is passed as
        // a first argument is. The first may be called on any thread.
        unsafe {
            let current = std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *mut c_void>(current);
            let method = |found| std::mem::transmute::<*mut c_void, Method>(found);
            let own = Isolate { isolate: current(), terminate: method(terminate), cancel: method(cancel) };
            (!own.isolate.is_null()).then_some(own)
        }
    }

    /// Stops what runs there at its next check. The caller keeps the isolate alive: its thread is inside of a call that waits.
    pub(crate) fn terminate(self) {
        // SAFETY: see above.
        unsafe { (self.terminate)(self.isolate) }
    }

    /// Calls off what was to be stopped; on the isolate's thread.
    pub(crate) fn cancel_terminate(self) {
        // SAFETY: on its own thread the isolate lives.
        unsafe { (self.cancel)(self.isolate) }
    }
}
