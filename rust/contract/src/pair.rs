//! Two tensors into one.
//!
//! The labels fall into four groups: those of the batch (in A, B and C), of the rows (A and C), of the columns (B and
//! C), and the summed ones (A and B). Small steps, and steps that are no matrix product (scalar and outer products,
//! elementwise products), are computed where the tensors lie; the others as products of matrices.

use tensoroxide_dense::{provider, Element, Provider};
#[cfg(target_arch = "x86_64")]
use tensoroxide_tensor::simd::Isa;
use tensoroxide_tensor::{DType, Threads, View, ViewMut};

use crate::axes::{indices, Fixed, Signature};
use crate::direct::Direct;
use crate::fused::Fused;
use crate::groups::{extent, Groups, A, B, C};
use crate::matrix::Product;
use crate::staged::Staged;
use crate::{Axes, Error, Label};

/// A matrix product is compared with a product in place unless it has so many multiplications, or so few.
const LARGE: usize = 96 * 96 * 96;
const SMALL: usize = 16 * 16 * 16;
/// Least extent of a matrix for which LARGE holds: thinner ones are bound by memory, which needs no packing.
const THIN: usize = 32;

/// How many times as long a step whole must be expected to take for it to be cut into pieces: the estimates are rough.
const CLEARLY: f64 = 1.3;

/// How many times as long a product may take that needs no scratch, where scratch is short.
const PATIENCE: f64 = 3.0;

/// Whether this processor's kernels were measured against a good BLAS, and were no slower.
fn fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    return Isa::best() >= Isa::Avx2;
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// What a step is prepared for, apart from its layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Element type of the tensors.
    pub dtype: DType,
    /// The most threads that a run may use: scratch is taken for so many.
    pub threads: Threads,
    /// Take the kernel with the least scratch rather than the fastest.
    pub least_scratch: bool,
}

/// C ← α·op(A)·op(B) + β·C, summed over the labels that C has not, prepared for one triple of layouts.
///
/// ```
/// use tensoroxide_contract::{Axes, Pair, Settings};
/// use tensoroxide_tensor::{DType, Tensor, Threads};
/// let a = Tensor::from_fn(&[2, 3], |i| (i[0] + 2 * i[1]) as f64)?;
/// let mut c = Tensor::from_fn(&[2, 2], |_| f64::NAN)?;
/// let (i, j, k) = (0, 1, 2);
/// let axes = |labels| Axes { labels, shape: &[2, 3], strides: &[1, 2] };
/// let result = Axes { labels: &[i, j], shape: &[2, 2], strides: &[1, 2] };
/// let settings = Settings { dtype: DType::F64, threads: Threads::ONE, least_scratch: false };
/// let step = Pair::new(axes(&[i, k]), axes(&[j, k]), result, &[], settings)?;
/// let mut scratch = vec![0.0; step.scratch()];
/// step.run(1.0, a.view(), false, a.view(), false, 0.0, c.view_mut()?, &[], &mut scratch, Threads::ONE)?;
/// assert_eq!(c.data(), [20.0, 26.0, 26.0, 35.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pair {
    signatures: [Signature; 3],
    fixed: Fixed<3>,
    settings: Settings,
    /// Of the batch, the rows, the columns, and the sum.
    extents: [usize; 4],
    /// Multiplications.
    volume: f64,
    kernel: Kernel,
}

#[derive(Clone, Debug)]
pub(crate) enum Kernel {
    /// Computed where the tensors lie.
    Direct(Box<Direct>),
    /// Products of matrices, computed by `dense`.
    Product(Box<Product>),
    /// One product that packs what lies anywhere.
    Fused(Box<Fused>),
    /// One of these on copies of pieces.
    Staged(Box<Staged>),
}

impl Pair {
    /// Prepares a step from A and B to C; `fixed` labels keep the value that each run gives them.
    ///
    /// # Errors
    /// [`Error::Rank`], [`Error::Extent`], [`Error::NotInInput`], [`Error::InOneInputOnly`] (but for labels of one
    /// value), [`Error::Tensor`] also for a label twice in the output.
    pub fn new(a: Axes<'_>, b: Axes<'_>, c: Axes<'_>, fixed: &[Label], settings: Settings) -> Result<Pair, Error> {
        let signatures = [Signature::new(&c)?, Signature::new(&a)?, Signature::new(&b)?];
        if (1..c.labels.len()).any(|i| c.labels[..i].contains(&c.labels[i])) {
            let (shape, strides) = (c.shape.to_vec(), c.strides.to_vec());
            return Err(tensoroxide_tensor::Error::SelfOverlap { shape, strides }.into());
        }
        let mut indices = indices(&[c, a, b])?;
        let fixed = Fixed::take(fixed, &mut indices);
        let groups = Groups::new(indices)?;
        let volume = groups.volume();
        let [rows, columns, summed] = groups.extents();
        let extents = [extent(&groups.batch), rows, columns, summed];
        Ok(Pair { signatures, fixed, settings, extents, volume, kernel: Kernel::new(groups, settings)? })
    }

    /// What the step was prepared for.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Elements of scratch memory that a run needs.
    pub fn scratch(&self) -> usize {
        self.kernel.scratch()
    }

    /// Elements that go through a dense copy.
    pub fn copied(&self) -> usize {
        self.kernel.copied()
    }

    /// What a run is expected to take on one thread, in nanoseconds: good enough to compare layouts and kernels by.
    pub fn time(&self) -> f64 {
        self.kernel.time(self.settings.dtype)
    }

    /// Numbers of products of the batch, and of rows, columns and summed values of each; `usize::MAX` if there are
    /// more.
    pub fn extents(&self) -> [usize; 4] {
        self.extents
    }

    /// Multiplications; a rounded number, since more than 2⁶⁴ can be asked for.
    pub fn volume(&self) -> f64 {
        self.volume
    }

    /// What computes the step, in a few words: `direct product`, `fused product`, `batched product through copies of A,
    /// C`.
    pub fn kernel_name(&self) -> String {
        self.kernel.name()
    }

    /// Runs the step, on at most as many threads as it was prepared for. `fixed` gives each fixed label its value. β =
    /// 0 never reads C.
    ///
    /// # Errors
    /// [`Error::ElementType`], [`Error::Layout`], [`Error::Fixed`], [`Error::Scratch`]; nothing is then written.
    #[allow(clippy::too_many_arguments)] // the arguments of a matrix product, and those of a step
    pub fn run<T: Element>(
        &self,
        alpha: T,
        a: View<'_, T>,
        conj_a: bool,
        b: View<'_, T>,
        conj_b: bool,
        beta: T,
        mut c: ViewMut<'_, T>,
        fixed: &[usize],
        scratch: &mut [T],
        threads: Threads,
    ) -> Result<(), Error> {
        self.signatures[C].check(&c.region())?;
        self.signatures[A].check(&a.region())?;
        self.signatures[B].check(&b.region())?;
        // SAFETY: the layouts are those that the step was prepared for; the views vouch for the memory, and C's is
        // ours.
        unsafe {
            self.run_unchecked(
                alpha,
                a.as_ptr(),
                conj_a,
                b.as_ptr(),
                conj_b,
                beta,
                c.as_mut_ptr(),
                fixed,
                scratch,
                threads,
            )
        }
    }

    /// [`Pair::run`] on tensors whose layouts are known to be those that the step was prepared for, given by their
    /// elements at index (0, …, 0): what a plan does at each of its steps.
    ///
    /// # Errors
    /// [`Error::ElementType`], [`Error::Fixed`], [`Error::Scratch`]; nothing is then written.
    ///
    /// # Safety
    /// From the three pointers the layouts are valid; C's is injective, exclusively ours, and overlaps neither A nor B.
    #[allow(clippy::too_many_arguments)] // as for `run`
    pub unsafe fn run_unchecked<T: Element>(
        &self,
        alpha: T,
        a: *const T,
        conj_a: bool,
        b: *const T,
        conj_b: bool,
        beta: T,
        c: *mut T,
        fixed: &[usize],
        scratch: &mut [T],
        threads: Threads,
    ) -> Result<(), Error> {
        if T::DTYPE != self.settings.dtype {
            return Err(Error::ElementType { expected: self.settings.dtype, found: T::DTYPE });
        }
        let [to_c, to_a, to_b] = self.fixed.offsets(fixed)?;
        if scratch.len() < self.scratch() {
            return Err(Error::Scratch { needed: self.scratch(), given: scratch.len() });
        }
        let threads = threads.min(self.settings.threads);
        let (a, b) = ((a.wrapping_offset(to_a), conj_a), (b.wrapping_offset(to_b), conj_b));
        let c = c.wrapping_offset(to_c);
        // SAFETY: the caller's promise; the fixed values are below their extents.
        unsafe { self.kernel.run(alpha, a, b, beta, c, scratch, threads) }
    }
}

/// Multiplications that a matrix product does in a nanosecond, roughly.
pub(crate) fn rate(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => 110.0,
        DType::F64 => 55.0,
        DType::C32 => 28.0,
        DType::C64 => 14.0,
    }
}

impl Kernel {
    fn new(groups: Groups, settings: Settings) -> Result<Kernel, Error> {
        let staged = Staged::new(&groups, settings)?;
        let whole = Kernel::whole(groups, settings)?;
        Ok(match staged {
            Some(staged) if CLEARLY * staged.time() < whole.time(settings.dtype) => Kernel::Staged(Box::new(staged)),
            _ => whole,
        })
    }

    /// A kernel that is not cut into pieces.
    pub(crate) fn whole(groups: Groups, settings: Settings) -> Result<Kernel, Error> {
        let [m, n, k] = groups.extents();
        let each = m.saturating_mul(n).saturating_mul(k);
        let loops = groups.all().map(|index| (index.step, index.present[C]));
        let direct = |loops| Ok(Kernel::Direct(Box::new(Direct::new(loops, settings.dtype))));
        if each <= SMALL || k == 1 || m == 1 && n == 1 || extent(&groups.batch) == 0 {
            return direct(loops);
        }
        let large = each >= LARGE && m.min(n).min(k) >= THIN;
        let matrices = Kernel::of_matrices(&groups, settings)?;
        if !large {
            let direct = Direct::new(loops, settings.dtype);
            // Without scratch is worth more than a little time, but not any.
            let patience = if settings.least_scratch { PATIENCE } else { 1.0 };
            if direct.cost() <= patience * matrices.time(settings.dtype) {
                return Ok(Kernel::Direct(Box::new(direct)));
            }
        }
        Ok(matrices)
    }

    /// The better of the two roads through matrix products.
    fn of_matrices(groups: &Groups, settings: Settings) -> Result<Kernel, Error> {
        let own = match provider() {
            Provider::Auto => fast(),
            Provider::Own => true,
            Provider::Lent => false,
        };
        let fused = own.then(|| Fused::new(groups, settings)).flatten();
        let product = Product::new(groups.clone())?;
        let better = |fused: &Fused, product: &Product| match settings.least_scratch {
            true => fused.scratch() < product.scratch,
            false => fused.time() <= product.time(settings.dtype),
        };
        Ok(match fused {
            Some(fused) if better(&fused, &product) => Kernel::Fused(Box::new(fused)),
            _ => Kernel::Product(Box::new(product)),
        })
    }

    /// See [`Pair::copied`].
    fn copied(&self) -> usize {
        match self {
            Kernel::Direct(_) | Kernel::Fused(_) => 0,
            Kernel::Product(product) => product.copied(),
            Kernel::Staged(staged) => staged.copied(),
        }
    }

    /// See [`Pair::scratch`].
    pub(crate) fn scratch(&self) -> usize {
        match self {
            Kernel::Direct(_) => 0,
            Kernel::Product(product) => product.scratch,
            Kernel::Fused(fused) => fused.scratch(),
            Kernel::Staged(staged) => staged.scratch(),
        }
    }

    /// See [`Pair::time`].
    pub(crate) fn time(&self, dtype: DType) -> f64 {
        match self {
            Kernel::Direct(direct) => direct.cost(),
            Kernel::Product(product) => product.time(dtype),
            Kernel::Fused(fused) => fused.time(),
            Kernel::Staged(staged) => staged.time(),
        }
    }

    /// See [`Pair::kernel_name`].
    pub(crate) fn name(&self) -> String {
        match self {
            Kernel::Direct(direct) => direct.name().into(),
            Kernel::Product(product) => product.name(),
            Kernel::Fused(fused) => fused.name(),
            Kernel::Staged(staged) => staged.name(),
        }
    }

    /// C ← α·op(A)·op(B) + β·C.
    ///
    /// # Safety
    /// As [`Pair::run_unchecked`]; `scratch` is as long as [`Kernel::scratch`] says.
    #[allow(clippy::too_many_arguments)] // as for `Pair::run`
    #[inline(always)]
    pub(crate) unsafe fn run<T: Element>(
        &self,
        alpha: T,
        a: (*const T, bool),
        b: (*const T, bool),
        beta: T,
        c: *mut T,
        scratch: &mut [T],
        threads: Threads,
    ) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Kernel::Direct(direct) => {
                    direct.run(alpha, a, b, beta, c, threads);
                    Ok(())
                }
                Kernel::Product(product) => product.run(alpha, a, b, beta, c, scratch, threads),
                Kernel::Fused(fused) => {
                    fused.run(alpha, a, b, beta, c, scratch, threads);
                    Ok(())
                }
                Kernel::Staged(staged) => staged.run(alpha, a, b, beta, c, scratch, threads),
            }
        }
    }
}
