//! One tensor into one: permutation, diagonal, trace, sums over axes, embedding on a diagonal.

use tensoroxide_tensor::kernels::{scale_ordered, Move};
use tensoroxide_tensor::nest::{order, Loop};
use tensoroxide_tensor::{Scalar, Threads, View, ViewMut};

use crate::axes::{indices, Fixed, Signature};
use crate::{Axes, Error, Label};

/// C ← α·Σ op(A) + β·C over the labels that C has not, prepared for one pair of layouts.
///
/// ```
/// use tensoroxide_contract::{Axes, Single};
/// use tensoroxide_tensor::{Tensor, Threads};
/// let a = Tensor::from_fn(&[3, 3], |i| (i[0] + 10 * i[1]) as f64)?;
/// let mut trace = Tensor::from_fn(&[], |_| 0.0)?;
/// let axes = Axes { labels: &[7, 7], shape: &[3, 3], strides: &[1, 3] };
/// let step = Single::new(axes, Axes { labels: &[], shape: &[], strides: &[] }, &[])?;
/// step.run(1.0, a.view(), false, 0.0, trace.view_mut()?, &[], Threads::ONE)?;
/// assert_eq!(trace.data(), [33.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Single {
    signatures: [Signature; 2],
    fixed: Fixed<2>,
    /// What runs over C and A.
    step: Move,
    /// What runs over all of C first, to scale it; `None` when the loops themselves write each element of C once.
    output: Option<Vec<Loop<2>>>,
}

impl Single {
    /// Prepares a step from A to C; `fixed` labels keep the value that each run gives them.
    ///
    /// # Errors
    /// [`Error::Rank`], [`Error::Extent`], [`Error::NotInInput`], [`Error::Tensor`].
    pub fn new(a: Axes<'_>, c: Axes<'_>, fixed: &[Label]) -> Result<Single, Error> {
        let signatures = [Signature::new(&c)?, Signature::new(&a)?];
        let mut indices = indices(&[c, a])?;
        let fixed_steps = Fixed::take(fixed, &mut indices);
        if let Some(index) = indices.iter().find(|index| !index.present[1]) {
            return Err(Error::NotInInput(index.label));
        }
        let sums = indices.iter().any(|index| !index.present[0]);
        let embeds = (1..c.labels.len()).any(|i| c.labels[..i].contains(&c.labels[i]));
        let output = (sums || embeds).then(|| {
            let axes = c.labels.iter().zip(c.shape.iter().zip(c.strides)).filter(|(label, _)| !fixed.contains(label));
            order(axes.map(|(_, (&extent, &stride))| Loop { extent, strides: [stride, 0] }).collect())
        });
        let loops: Vec<Loop<2>> = indices.iter().map(|index| index.step).collect();
        Ok(Single { signatures, fixed: fixed_steps, step: Move::new(&loops), output })
    }

    /// Runs the step. `fixed` gives each fixed label its value. β = 0 never reads C.
    ///
    /// # Errors
    /// [`Error::Layout`], [`Error::Fixed`]; nothing is then written.
    #[allow(clippy::too_many_arguments)] // α, A, β and C as in BLAS
    pub fn run<T: Scalar>(
        &self,
        alpha: T,
        a: View<'_, T>,
        conj: bool,
        beta: T,
        mut c: ViewMut<'_, T>,
        fixed: &[usize],
        threads: Threads,
    ) -> Result<(), Error> {
        self.signatures[0].check(&c.region())?;
        self.signatures[1].check(&a.region())?;
        // SAFETY: the layouts are those that the step was prepared for; the views vouch for the memory, and C's is
        // ours.
        unsafe { self.run_unchecked(alpha, a.as_ptr(), conj, beta, c.as_mut_ptr(), fixed, threads) }
    }

    /// [`Single::run`] on tensors whose layouts are known to be those that the step was prepared for, given by their
    /// elements at index (0, …, 0).
    ///
    /// # Errors
    /// [`Error::Fixed`]; nothing is then written.
    ///
    /// # Safety
    /// From the two pointers the layouts are valid; C's is injective, exclusively ours, and does not overlap A.
    #[allow(clippy::too_many_arguments)] // as for `run`
    pub unsafe fn run_unchecked<T: Scalar>(
        &self,
        alpha: T,
        a: *const T,
        conj: bool,
        beta: T,
        c: *mut T,
        fixed: &[usize],
        threads: Threads,
    ) -> Result<(), Error> {
        let [to_c, to_a] = self.fixed.offsets(fixed)?;
        let (a, c) = (a.wrapping_offset(to_a), c.wrapping_offset(to_c));
        let beta = match &self.output {
            None => beta,
            Some(output) => {
                // SAFETY: the layout is the one that the loops were made from, and the fixed values are below their
                // extents. C is injective, and exclusively ours.
                unsafe { scale_ordered(output, beta, c, threads) };
                T::ONE
            }
        };
        // SAFETY: as above, for A too; where the loops do not move C, or C is embedded, it was scaled and β is 1.
        unsafe { self.step.run(alpha, a, conj, beta, c, threads) };
        Ok(())
    }
}
