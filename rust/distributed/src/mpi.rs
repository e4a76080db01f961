//! Messages over an MPI library that the host has loaded and initialised, and lends.
//!
//! A handle (a communicator, a datatype, a request) is an `int` in MPICH, an address in Open MPI, and as large as an
//! address in the standard ABI of MPI 5. The host says which, and gives the handles that are needed as numbers. MPI is
//! neither initialised nor finalised here, and called only from threads that may call it.
//!
//! Only point-to-point calls that return at once are used, and the one that duplicates a communicator: a rank that died
//! can be waited for with a deadline then. No status is looked at, since each library has its own; a message begins
//! with a header of fixed size that says what follows, and from whom.
#![allow(unsafe_code)] // calls of a foreign library

use std::collections::VecDeque;
use std::ffi::{c_char, c_int, c_void};
use std::time::{Duration, Instant};

use crate::group::Patience;
use crate::transport::{Message, Transport};
use crate::Error;

/// The addresses of MPI's functions. None may be NULL.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // each is the function with this name behind `MPI_`
pub struct Functions {
    pub initialized: *const c_void,
    pub finalized: *const c_void,
    pub query_thread: *const c_void,
    pub is_thread_main: *const c_void,
    pub comm_rank: *const c_void,
    pub comm_size: *const c_void,
    pub comm_idup: *const c_void,
    pub comm_free: *const c_void,
    pub comm_set_errhandler: *const c_void,
    pub isend: *const c_void,
    pub irecv: *const c_void,
    pub test: *const c_void,
    pub cancel: *const c_void,
    pub error_string: *const c_void,
}

/// What the host lends.
#[derive(Clone, Copy, Debug)]
pub struct Library {
    /// Bytes of a handle: those of an `int`, or of an address.
    pub handle_size: usize,
    /// The communicator, as a number.
    pub communicator: usize,
    /// `MPI_BYTE`, as a number.
    pub byte: usize,
    /// `MPI_ERRORS_RETURN`, as a number.
    pub errors_return: usize,
    /// The value of `MPI_ANY_SOURCE`.
    pub any_source: c_int,
    /// The value of `MPI_THREAD_SERIALIZED`.
    pub thread_serialized: c_int,
    /// The functions.
    pub functions: Functions,
}

// SAFETY: the addresses are those of functions, for all threads; who may call them is asked before each call.
unsafe impl Send for Library {}

/// The largest piece of a message: counts are `int`s.
const PIECE: usize = 1 << 30;
const HEADER_TAG: c_int = 1;
const DATA_TAG: c_int = 2;
/// In a header, to know that it has come, and that the bytes of numbers are in the same order there.
const MAGIC: u64 = 0x746f_785f_6d70_6931;
/// Room for a status of any library, which is at most 40 bytes large.
type Status = [u64; 16];
/// Room for the text of an error, which is at most 512 bytes long in the known libraries.
const TEXT: usize = 4096;

/// A handle as MPI's functions take it.
trait Handle: Copy + Send + 'static {
    fn of(number: usize) -> Self;
}

impl Handle for c_int {
    fn of(number: usize) -> c_int {
        number as c_int
    }
}

/// As large as an address, and passed like one.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Address(*mut c_void);

// SAFETY: a number to this side.
unsafe impl Send for Address {}

impl Handle for Address {
    fn of(number: usize) -> Address {
        Address(number as *mut c_void)
    }
}

macro_rules! calls {
    ($($name:ident: $arguments:tt)*) => {
        /// The functions with their types.
        #[derive(Clone, Copy)]
        struct Calls<H> {
            $($name: unsafe extern "C" fn $arguments -> c_int,)*
        }

        impl<H> Calls<H> {
            /// # Safety
            /// The addresses are those of the functions, and handles are `H`s.
            unsafe fn new(functions: &Functions) -> Result<Calls<H>, Error> {
                $(if functions.$name.is_null() {
                    let name = stringify!($name);
                    return Err(Error::Argument(format!("the address of MPI's function for {name} is NULL")));
                })*
                // SAFETY: the caller's promise; not NULL.
                Ok(Calls { $($name: unsafe {
                    std::mem::transmute::<*const c_void, unsafe extern "C" fn $arguments -> c_int>(functions.$name)
                }),* })
            }
        }
    };
}
calls! {
    initialized: (*mut c_int)
    finalized: (*mut c_int)
    query_thread: (*mut c_int)
    is_thread_main: (*mut c_int)
    comm_rank: (H, *mut c_int)
    comm_size: (H, *mut c_int)
    comm_idup: (H, *mut H, *mut H)
    comm_free: (*mut H)
    comm_set_errhandler: (H, H)
    isend: (*const c_void, c_int, H, c_int, c_int, H, *mut H)
    irecv: (*mut c_void, c_int, H, c_int, c_int, H, *mut H)
    test: (*mut H, *mut c_int, *mut Status)
    cancel: (*mut H)
    error_string: (c_int, *mut c_char, *mut c_int)
}

impl<H> Calls<H> {
    fn ready(&self, serialized: c_int) -> Result<(), Error> {
        let ask = |function: unsafe extern "C" fn(*mut c_int) -> c_int| {
            let mut answer = 0;
            // SAFETY: these four may be called at any time from any thread; `answer` can be written. The two that ask
            // for threads are called only while MPI is initialised.
            unsafe { function(&mut answer) };
            answer
        };
        let refuse = |text: &str| Err(Error::NotReady(text.into()));
        if ask(self.initialized) == 0 {
            return refuse("MPI is not initialised: call MPI.Init() (MPI_Init) first");
        }
        if ask(self.finalized) != 0 {
            return refuse("MPI is finalised already; nothing can be sent any more");
        }
        if ask(self.query_thread) < serialized && ask(self.is_thread_main) == 0 {
            return refuse(
                "MPI was initialised for calls from its main thread only, and this is another one; call from the thread \
                 that initialised MPI, or initialise it with MPI.Init(threadlevel = :serialized) or higher",
            );
        }
        Ok(())
    }
}

/// A message on its way out.
struct Outgoing<H> {
    header: Box<[u64; 8]>,
    data: Vec<u8>,
    requests: Vec<H>,
}

/// A message whose header has come.
struct Incoming<H> {
    message: Message,
    requests: Vec<H>,
}

/// The ranks of an MPI communicator, on a duplicate of it.
struct Mpi<H: Handle> {
    library: Library,
    calls: Calls<H>,
    communicator: H,
    rank: usize,
    size: usize,
    outgoing: VecDeque<Outgoing<H>>,
    incoming: VecDeque<Incoming<H>>,
    /// Where the next header goes, and what has been asked for it.
    header: Box<[u64; 8]>,
    expected: Option<H>,
    freed: bool,
}

/// Duplicates the host's communicator, which all of its ranks do together, and sends messages over the duplicate. Fails
/// on a rank if the others do not follow within `timeout`.
///
/// # Errors
/// [`Error::NotReady`], [`Error::Transport`], [`Error::Argument`].
///
/// # Safety
/// All that the library says is true, and its functions are never unloaded.
pub unsafe fn connect(library: Library, timeout: Duration) -> Result<Box<dyn Transport>, Error> {
    const INT: usize = size_of::<c_int>();
    const ADDRESS: usize = size_of::<*mut c_void>();
    // SAFETY: the caller's promise.
    unsafe {
        match library.handle_size {
            INT => Ok(Box::new(Mpi::<c_int>::new(library, timeout)?)),
            ADDRESS => Ok(Box::new(Mpi::<Address>::new(library, timeout)?)),
            size => {
                Err(Error::Argument(format!("MPI's handles cannot have {size} bytes; {INT} and {ADDRESS} are known")))
            }
        }
    }
}

impl<H: Handle> Mpi<H> {
    /// # Safety
    /// As [`connect`].
    unsafe fn new(library: Library, timeout: Duration) -> Result<Mpi<H>, Error> {
        // SAFETY: the caller's promise.
        let calls = unsafe { Calls::<H>::new(&library.functions) }?;
        calls.ready(library.thread_serialized)?;
        let (mut communicator, mut request) = (H::of(0), H::of(0));
        let (mut rank, mut size) = (0, 0);
        // SAFETY: MPI is ready, and the handle is a communicator's, as the caller promises. The duplicate is written by
        // the end of the request; both places live until then, or for ever.
        unsafe {
            let place = Box::leak(Box::new((communicator, request)));
            check(&calls, (calls.comm_idup)(H::of(library.communicator), &mut place.0, &mut place.1))?;
            let (end, mut patience) = (Instant::now() + timeout, Patience::default());
            while !test(&calls, &mut place.1)? {
                if Instant::now() > end {
                    let text = format!("not all ranks have made this call within {} s", timeout.as_secs().max(1));
                    return Err(Error::Transport(text));
                }
                patience.wait();
            }
            (communicator, request) = *Box::from_raw(place);
            _ = request;
            check(&calls, (calls.comm_set_errhandler)(communicator, H::of(library.errors_return)))?;
            check(&calls, (calls.comm_rank)(communicator, &mut rank))?;
            check(&calls, (calls.comm_size)(communicator, &mut size))?;
        }
        Ok(Mpi {
            library,
            calls,
            communicator,
            rank: rank as usize,
            size: size as usize,
            outgoing: VecDeque::new(),
            incoming: VecDeque::new(),
            header: Box::new([0; 8]),
            expected: None,
            freed: false,
        })
    }

    fn byte(&self) -> H {
        H::of(self.library.byte)
    }

    /// Asks for the bytes from `source`, in pieces. They have to stay where they are until the requests are done.
    fn ask(&self, at: *mut u8, length: usize, source: c_int, tag: c_int) -> Result<Vec<H>, Error> {
        let mut requests = Vec::with_capacity(length.div_ceil(PIECE));
        for start in (0..length).step_by(PIECE) {
            let mut request = H::of(0);
            let count = PIECE.min(length - start) as c_int;
            // SAFETY: the bytes can be written, and live until the request is done: see `receive`.
            let code = unsafe {
                let at = at.add(start).cast::<c_void>();
                (self.calls.irecv)(at, count, self.byte(), source, tag, self.communicator, &mut request)
            };
            check(&self.calls, code)?;
            requests.push(request);
        }
        Ok(requests)
    }

    /// Takes a header apart, and asks for what follows.
    fn begin(&mut self) -> Result<(), Error> {
        let [magic, from, kind, epoch, a, b, length, _] = *self.header;
        if magic != MAGIC || from as usize >= self.size {
            return Err(Error::Transport(
                "a message came that is none of the engine's, or of a machine of another kind".into(),
            ));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut data = Vec::new();
        let full = |_| tensoroxide_tensor::Error::OutOfMemory { bytes: length };
        data.try_reserve_exact(length).map_err(full)?;
        data.resize(length, 0);
        let mut message = Message { from: from as usize, kind: kind as u32, epoch, args: [a, b], data };
        // A vector's elements do not move with it.
        let requests = self.ask(message.data.as_mut_ptr(), length, from as c_int, DATA_TAG)?;
        self.incoming.push_back(Incoming { message, requests });
        Ok(())
    }

    fn see_off(&mut self) -> Result<(), Error> {
        let Mpi { calls, outgoing, .. } = self;
        let mut at = 0;
        while at < outgoing.len() {
            if all(calls, &mut outgoing[at].requests)? {
                outgoing.remove(at);
            } else {
                at += 1;
            }
        }
        Ok(())
    }
}

/// The text of a code that is not 0.
fn check<H>(calls: &Calls<H>, code: c_int) -> Result<(), Error> {
    if code == 0 {
        return Ok(());
    }
    let mut text = [0u8; TEXT];
    let mut length = 0;
    // SAFETY: there is room for the longest text of every library, and a NUL stays behind it.
    unsafe { (calls.error_string)(code, text.as_mut_ptr().cast(), &mut length) };
    let text = &text[..usize::try_from(length).unwrap_or(0).min(TEXT)];
    Err(Error::Transport(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned()))
}

/// Whether a request is done.
fn test<H>(calls: &Calls<H>, request: &mut H) -> Result<bool, Error> {
    let (mut flag, mut status) = (0, Status::default());
    // SAFETY: a request that has not been done before; there is room for any status.
    check(calls, unsafe { (calls.test)(request, &mut flag, &mut status) })?;
    Ok(flag != 0)
}

/// Whether all requests are done; those that are go.
fn all<H>(calls: &Calls<H>, requests: &mut Vec<H>) -> Result<bool, Error> {
    while let Some(request) = requests.last_mut() {
        if !test(calls, request)? {
            return Ok(false);
        }
        requests.pop();
    }
    Ok(true)
}

impl<H: Handle> Transport for Mpi<H> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn ready(&self) -> Result<(), Error> {
        self.calls.ready(self.library.thread_serialized)
    }

    fn send(&mut self, to: usize, message: Message) -> Result<(), Error> {
        let Message { kind, epoch, args: [a, b], data, .. } = message;
        let header = Box::new([MAGIC, self.rank as u64, u64::from(kind), epoch, a, b, data.len() as u64, 0]);
        let out = Outgoing { header, data, requests: Vec::new() };
        let pieces = out.data.chunks(PIECE).map(|piece| (piece.as_ptr(), piece.len(), DATA_TAG));
        let header = [(out.header.as_ptr().cast::<u8>(), size_of_val(&*out.header), HEADER_TAG)];
        let mut requests = Vec::with_capacity(1 + out.data.len().div_ceil(PIECE));
        let mut sent = Ok(());
        for (start, count, tag) in header.into_iter().chain(pieces) {
            let mut request = H::of(0);
            // SAFETY: the bytes live, and stay the same, until the request is done: they go with it to `outgoing`,
            // where neither a box nor a vector moves what it owns.
            let code = unsafe {
                let (start, count) = (start.cast::<c_void>(), count as c_int);
                (self.calls.isend)(start, count, self.byte(), to as c_int, tag, self.communicator, &mut request)
            };
            sent = check(&self.calls, code);
            if sent.is_err() {
                break;
            }
            requests.push(request);
        }
        self.outgoing.push_back(Outgoing { requests, ..out });
        sent
    }

    fn receive(&mut self) -> Result<Option<Message>, Error> {
        self.see_off()?;
        loop {
            // The one that is wanted next is always asked for: who sends need not wait.
            let Some(expected) = &mut self.expected else {
                self.header.fill(0);
                let (at, length) = (self.header.as_mut_ptr().cast::<u8>(), size_of_val(&*self.header));
                self.expected = self.ask(at, length, self.library.any_source, HEADER_TAG)?.pop();
                continue;
            };
            if !test(&self.calls, expected)? {
                break;
            }
            self.expected = None;
            self.begin()?;
        }
        for at in 0..self.incoming.len() {
            if all(&self.calls, &mut self.incoming[at].requests)? {
                return Ok(self.incoming.remove(at).map(|done| done.message));
            }
        }
        Ok(None)
    }

    fn unsent(&self) -> usize {
        self.outgoing.len()
    }

    fn pause(&mut self) -> Result<(), Error> {
        let Some(expected) = &mut self.expected else { return Ok(()) };
        // SAFETY: a receive that has not been seen to be done.
        check(&self.calls, unsafe { (self.calls.cancel)(expected) })?;
        // Cancelling a receive is a matter of this rank alone: either it has matched a message or it is gone.
        let mut patience = Patience::default();
        while !test(&self.calls, expected)? {
            patience.wait();
        }
        self.expected = None;
        if self.header[0] != 0 {
            self.begin()?;
        }
        Ok(())
    }

    fn free(&mut self) -> Result<(), Error> {
        self.pause()?;
        if !self.freed {
            self.freed = true;
            // SAFETY: the duplicate is ours, and nothing is on its way over it.
            check(&self.calls, unsafe { (self.calls.comm_free)(&mut self.communicator) })?;
        }
        Ok(())
    }
}

impl<H: Handle> Drop for Mpi<H> {
    /// Memory that MPI may still read or write outlives this.
    fn drop(&mut self) {
        std::mem::forget(std::mem::take(&mut self.outgoing));
        std::mem::forget(std::mem::take(&mut self.incoming));
        if self.expected.is_some() {
            std::mem::forget(std::mem::take(&mut self.header));
        }
    }
}
