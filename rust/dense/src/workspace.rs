//! Memory that factorizations work in, kept from call to call.
//!
//! A factorization takes many pieces of memory whose number and sizes only its driver knows. A workspace hands them out and
//! gets them back when they are dropped. Sizes are rounded up to classes a quarter apart, and a piece only serves its own
//! class: a call that runs a second time finds every piece that it needs, and asks the system for nothing.

use std::alloc::{alloc, dealloc, Layout};
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use tensoroxide_tensor::{Complex32, Complex64};

use crate::provider::{provider, Provider};
use crate::{Error, MatRef, Matrix};

/// Alignment of every piece: a cache line, and the widest vector register.
const ALIGNMENT: usize = 64;

/// Memory for the calls of one thread at a time.
///
/// ```
/// use tensoroxide_dense::{svd, MatRef, Resources, Workspace};
/// let workspace = Workspace::default();
/// let a = [1.0, 2.0, 3.0, 4.0];
/// let a = MatRef::from_slice(&a, 2, 2, 1, 2)?;
/// drop(svd(a, false, Resources::of(&workspace))?);
/// let bytes = workspace.bytes();
/// drop(svd(a, false, Resources::of(&workspace))?); // takes no further memory
/// assert_eq!(workspace.bytes(), bytes);
/// # Ok::<(), tensoroxide_dense::Error>(())
/// ```
#[derive(Default)]
pub struct Workspace {
    idle: RefCell<Vec<Block>>,
}

/// What a factorization may use.
#[derive(Clone, Copy, Debug)]
pub struct Resources<'w> {
    /// Where its results and its scratch space come from.
    pub workspace: &'w Workspace,
    /// Who computes.
    pub provider: Provider,
}

impl<'w> Resources<'w> {
    /// This workspace, and the provider of the process.
    pub fn of(workspace: &'w Workspace) -> Resources<'w> {
        Resources { workspace, provider: provider() }
    }

    /// An m×n matrix of zeros, or [`Error::OutOfMemory`].
    pub fn matrix<T: Plain>(self, rows: usize, cols: usize) -> Result<Matrix<'w, T>, Error> {
        Matrix::zeros(rows, cols, self.workspace)
    }

    /// A copy, conjugated if asked for, or [`Error::OutOfMemory`].
    pub fn copy_of<T: Plain + tensoroxide_tensor::Scalar>(
        self,
        a: MatRef<T>,
        conj: bool,
    ) -> Result<Matrix<'w, T>, Error> {
        Matrix::copy_of(a, conj, self.workspace)
    }

    /// `len` zeros, or [`Error::OutOfMemory`].
    pub fn zeros<T: Plain>(self, len: usize) -> Result<Memory<'w, T>, Error> {
        self.workspace.zeros(len)
    }
}

impl Workspace {
    /// `len` zeros, or [`Error::OutOfMemory`].
    pub fn zeros<T: Plain>(&self, len: usize) -> Result<Memory<'_, T>, Error> {
        let bytes = len.checked_mul(size_of::<T>()).ok_or(Error::OutOfMemory)?;
        let block = self.take(bytes)?;
        // SAFETY: the block has at least so many bytes.
        unsafe { block.start.as_ptr().write_bytes(0, bytes) };
        Ok(Memory { block, len, workspace: self, elements: PhantomData })
    }

    /// Bytes that wait for their next use.
    pub fn bytes(&self) -> usize {
        self.idle.borrow().iter().map(|block| block.bytes).sum()
    }

    /// Gives all memory that is not in use back to the system.
    pub fn clear(&mut self) {
        self.idle.get_mut().clear();
    }

    fn take(&self, bytes: usize) -> Result<Block, Error> {
        let bytes = class(bytes).ok_or(Error::OutOfMemory)?;
        let mut idle = self.idle.borrow_mut();
        // The one that was given back last is the likeliest to be in the cache.
        match idle.iter().rposition(|block| block.bytes == bytes) {
            Some(at) => Ok(idle.swap_remove(at)),
            None => Block::new(bytes),
        }
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Workspace({} bytes idle)", self.bytes())
    }
}

/// The number of bytes rounded up to 4, 5, 6 or 7 times a power of two; 0 for none.
fn class(bytes: usize) -> Option<usize> {
    match bytes {
        0 => Some(0),
        1..=256 => Some(256),
        _ => {
            let step = 1usize << (bytes.ilog2() - 2);
            bytes.checked_next_multiple_of(step).filter(|&bytes| bytes <= isize::MAX as usize - ALIGNMENT)
        }
    }
}

/// A piece of memory.
struct Block {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a block owns its memory.
unsafe impl Send for Block {}

impl Block {
    fn new(bytes: usize) -> Result<Block, Error> {
        if bytes == 0 {
            return Ok(Block { start: NonNull::<Aligned>::dangling().cast(), bytes });
        }
        let layout = Layout::from_size_align(bytes, ALIGNMENT).map_err(|_| Error::OutOfMemory)?;
        // SAFETY: the layout's size is not 0.
        let start = NonNull::new(unsafe { alloc(layout) }).ok_or(Error::OutOfMemory)?;
        Ok(Block { start, bytes })
    }
}

/// What has the alignment of a block.
#[repr(align(64))]
struct Aligned;

impl Drop for Block {
    fn drop(&mut self) {
        if let (true, Ok(layout)) = (self.bytes > 0, Layout::from_size_align(self.bytes, ALIGNMENT)) {
            // SAFETY: `start` came from `alloc` with this very layout.
            unsafe { dealloc(self.start.as_ptr(), layout) }
        }
    }
}

/// Types whose zero bytes are a value, and which own nothing.
///
/// # Safety
/// As said; alignment is at most a cache line.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($t:ty)*) => {
        $(
            // SAFETY: numbers.
            unsafe impl Plain for $t {}
        )*
    };
}

plain!(u8 i32 i64 usize f32 f64 Complex32 Complex64);

/// Elements that live in a workspace's memory, which gets it back when they are dropped.
pub struct Memory<'w, T: Plain> {
    block: Block,
    len: usize,
    workspace: &'w Workspace,
    elements: PhantomData<T>,
}

impl<T: Plain> Deref for Memory<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: the block holds `len` initialised elements, aligned to a cache line, which are ours.
        unsafe { std::slice::from_raw_parts(self.block.start.as_ptr().cast(), self.len) }
    }
}

impl<T: Plain> DerefMut for Memory<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.block.start.as_ptr().cast(), self.len) }
    }
}

impl<T: Plain> Drop for Memory<'_, T> {
    fn drop(&mut self) {
        let nothing = Block { start: NonNull::<Aligned>::dangling().cast(), bytes: 0 };
        let block = std::mem::replace(&mut self.block, nothing);
        if block.bytes > 0 {
            self.workspace.idle.borrow_mut().push(block);
        }
    }
}

impl<T: Plain> fmt::Debug for Memory<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory<{}>({})", std::any::type_name::<T>(), self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_a_quarter_apart() {
        assert_eq!(
            [0, 1, 256, 257, 320, 321, 1000, 1025].map(|n| class(n).unwrap()),
            [0, 256, 256, 320, 320, 384, 1024, 1280]
        );
        assert_eq!(class(usize::MAX), None);
        assert!((1..5000).all(|n| class(n).unwrap() >= n && class(class(n).unwrap()) == class(n)));
    }

    #[test]
    fn what_is_given_back_is_used_again() {
        let workspace = Workspace::default();
        let mut first = workspace.zeros::<f64>(100).unwrap();
        assert!(first.as_ptr() as usize % ALIGNMENT == 0 && first.iter().all(|&x| x == 0.0));
        first[99] = 1.0;
        let at = first.as_ptr() as usize;
        let other = workspace.zeros::<Complex32>(100).unwrap();
        assert_ne!(other.as_ptr() as usize, at);
        drop(first);
        assert_eq!(workspace.bytes(), 896);
        let again = workspace.zeros::<i64>(105).unwrap();
        assert_eq!((again.as_ptr() as usize, again.len(), workspace.bytes()), (at, 105, 0));
        assert!(again.iter().all(|&x| x == 0));
        drop((other, again, workspace.zeros::<f32>(0).unwrap()));
        assert_eq!(workspace.bytes(), 2 * 896);
    }

    #[test]
    fn too_much_is_an_error() {
        let workspace = Workspace::default();
        assert!(matches!(workspace.zeros::<f64>(usize::MAX), Err(Error::OutOfMemory)));
        assert!(matches!(workspace.zeros::<f64>(isize::MAX as usize / 8), Err(Error::OutOfMemory)));
    }
}
