//! Contractions of two tensors without a plan, for shapes that hardly come twice, as those of blocks.

use std::sync::LazyLock;

use tensoroxide_contract::{Axes, Pair, Settings};
use tensoroxide_dense::Element;
use tensoroxide_tensor::dlpack::{Borrowed, DLTensor};
use tensoroxide_tensor::{Buffer, Complex32, Complex64, DType, Pool};

use crate::host::threads;
use crate::plan::slice;
use crate::status::{guard, tox_status, Failure};
use crate::tensors::{apart, borrow, view, view_mut};

/// Scratch memory that the next call finds again, unless it is large.
static SCRATCH: LazyLock<Pool<Buffer<Complex64>>> = LazyLock::new(Pool::default);
const LARGE: usize = 1 << 22;

/// C = alpha * (A·B, summed over the labels that C has not) + beta * C. `beta == 0` never reads C.
///
/// `tensors` are A, B, C. `labels` has a label for each axis of A, then of B, then of C, and `conj` is NULL, or has for A
/// and for B 1 if it is to be conjugated, else 0. Each label of A or B is in two of the three at least, or has extent 1;
/// none is in C twice. What `tox_plan_run` computes for the same labels, slower by what it takes to look at the layouts, and
/// without a plan to make first.
///
/// Fails with `TOX_DIMENSION_MISMATCH` (extents of one label), `TOX_INVALID_ARGUMENT` (labels, mixed element types),
/// `TOX_UNSUPPORTED_DTYPE`, `TOX_ALIASING`, `TOX_OUT_OF_MEMORY`; nothing was then written.
///
/// # Safety
/// The pointers lead to what they are described as, and nothing writes to A or B, or reads or writes C, during the call.
#[no_mangle]
pub unsafe extern "C" fn tox_contract(
    tensors: *const DLTensor,
    labels: *const i32,
    conj: *const u8,
    alpha_re: f64,
    alpha_im: f64,
    beta_re: f64,
    beta_im: f64,
) -> tox_status {
    guard(|| {
        // SAFETY: the caller's promise.
        let [a, b, c] = unsafe { slice(tensors, 3, "tensors") }? else { return Err(Failure::null("tensors")) };
        // SAFETY: the caller's promise. That C shares no memory with A or B is checked before it is written.
        let (a, b, c) =
            unsafe { (borrow(a, "the first tensor")?, borrow(b, "the second tensor")?, borrow(c, "the output")?) };
        apart(("the output", c.region()), &[("the first tensor", a.region()), ("the second tensor", b.region())])?;
        let ranks = [a.shape().len(), b.shape().len(), c.shape().len()];
        // SAFETY: the caller's promise. Any bits are a label.
        let labels = unsafe { slice(labels.cast::<u32>(), ranks.iter().sum(), "labels") }?;
        let conj: [bool; 2] = match conj.is_null() {
            true => [false; 2],
            // SAFETY: the caller's promise.
            false => unsafe { [*conj != 0, *conj.add(1) != 0] },
        };
        let (alpha, beta) = (Complex64::new(alpha_re, alpha_im), Complex64::new(beta_re, beta_im));
        let call = Call { tensors: [&a, &b, &c], labels, conj, alpha, beta };
        // SAFETY: the caller's promise, and C is apart from the others.
        unsafe {
            match c.dtype() {
                DType::F32 => call.run::<f32>(),
                DType::F64 => call.run::<f64>(),
                DType::C32 => call.run::<Complex32>(),
                DType::C64 => call.run::<Complex64>(),
            }
        }
    })
}

struct Call<'a> {
    /// A, B, C.
    tensors: [&'a Borrowed<'a>; 3],
    /// Theirs, one after another.
    labels: &'a [u32],
    conj: [bool; 2],
    alpha: Complex64,
    beta: Complex64,
}

impl Call<'_> {
    /// # Safety
    /// During the call nothing writes A or B, or reads or writes C, which shares no memory with them.
    unsafe fn run<T: Element>(&self) -> Result<(), Failure> {
        let [a, b, c] = self.tensors;
        // SAFETY: the caller's promise.
        let (a, b, c) = unsafe {
            (view::<T>(a, "the first tensor")?, view::<T>(b, "the second tensor")?, view_mut::<T>(c, "the output")?)
        };
        let (of_a, rest) = self.labels.split_at(a.shape().len());
        let (of_b, of_c) = rest.split_at(b.shape().len());
        let settings = Settings { dtype: T::DTYPE, threads: threads(), least_scratch: false };
        let pair = Pair::new(
            Axes { labels: of_a, shape: a.shape(), strides: a.strides() },
            Axes { labels: of_b, shape: b.shape(), strides: b.strides() },
            Axes { labels: of_c, shape: c.shape(), strides: c.strides() },
            &[],
            settings,
        )?;
        let (alpha, beta) = (T::from_c64(self.alpha), T::from_c64(self.beta));
        let [conj_a, conj_b] = self.conj;
        with_scratch(pair.scratch(), |scratch| {
            Ok(pair.run(alpha, a, conj_a, b, conj_b, beta, c, &[], scratch, settings.threads)?)
        })
    }
}

fn with_scratch<T: Element>(count: usize, run: impl FnOnce(&mut [T]) -> Result<(), Failure>) -> Result<(), Failure> {
    if count == 0 {
        return run(&mut []);
    }
    let words = (count * size_of::<T>()).div_ceil(size_of::<Complex64>());
    let mut memory = match SCRATCH.take().filter(|memory| memory.len() >= words) {
        Some(memory) => memory,
        None => Box::new(Buffer::zeroed(words)?),
    };
    // SAFETY: as many elements as fit, aligned to more than any needs; any bits are a number.
    let scratch = unsafe { std::slice::from_raw_parts_mut(memory.as_mut_ptr().cast::<T>(), count) };
    let done = run(scratch);
    if memory.len() <= LARGE {
        SCRATCH.give(memory);
    }
    done
}
