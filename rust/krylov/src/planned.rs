//! A contraction plan as a linear map of one of its operands.

use smallvec::SmallVec;
use tensoroxide_dense::Element;
use tensoroxide_einsum::Einsum;
use tensoroxide_tensor::layout::column_major_strides;
use tensoroxide_tensor::{Threads, View, ViewMut};

use crate::Error;

/// The map from one operand of a plan, the free one, to the plan's output, where all other operands stay as they are.
///
/// ```
/// use tensoroxide_einsum::{Einsum, Options, Plan};
/// use tensoroxide_krylov::{solve, Eigsolve, Lanczos, PlannedMap};
/// use tensoroxide_tensor::{DType, Tensor, Threads};
/// let plan = Plan::new("ij,j->i", &[&[2, 2], &[2]], DType::F64, Options::default())?;
/// let einsum = Einsum::new(plan);
/// let matrix = Tensor::from_fn(&[2, 2], |i| if i[0] == i[1] { 1.0 } else { 2.0 })?;
/// let others = [matrix.view()];
/// let map = PlannedMap::new(&einsum, &others, &[false, false], 1, Threads::ONE)?;
/// let mut lanczos = Lanczos::default();
/// lanczos.start(map.len(), Eigsolve::default())?.copy_from_slice(&[1.0, 0.0]);
/// solve(&mut lanczos, |x: &[f64], y: &mut [f64]| map.apply(x, y))?;
/// assert!((lanczos.values()[0] + 1.0).abs() < 1e-14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PlannedMap<'a, T: Element> {
    einsum: &'a Einsum<T>,
    others: &'a [View<'a, T>],
    conj: &'a [bool],
    free: usize,
    shape: Vec<usize>,
    strides: Vec<isize>,
    threads: Threads,
}

impl<'a, T: Element> PlannedMap<'a, T> {
    /// `others` are all operands but the free one, in their order; `conj` says of every operand, the free one too,
    /// whether it is conjugated.
    ///
    /// # Errors
    /// [`Error::Shape`] if the output has not the shape of the free operand; [`Error::Argument`] for a number of
    /// operands that does not fit, or if the free one is conjugated: the map would not be linear.
    pub fn new(
        einsum: &'a Einsum<T>,
        others: &'a [View<'a, T>],
        conj: &'a [bool],
        free: usize,
        threads: Threads,
    ) -> Result<PlannedMap<'a, T>, Error> {
        let shapes = &einsum.plan().network().shapes;
        let count = shapes.len();
        if free >= count || others.len() + 1 != count || conj.len() != count {
            return Err(Error::Argument(format!(
                "the plan has {count} operand(s): the map takes {} of them, but {} were given",
                count.saturating_sub(1),
                others.len()
            )));
        }
        if conj[free] && T::DTYPE.is_complex() {
            return Err(Error::Argument("the free operand is conjugated, so that the map is not linear".into()));
        }
        let shape = einsum.plan().output_shape();
        if shapes[free] != shape {
            return Err(Error::Shape { free: shapes[free].clone(), output: shape });
        }
        let strides = column_major_strides(&shape);
        Ok(PlannedMap { einsum, others, conj, free, shape, strides, threads })
    }

    /// Elements of a vector: those of the free operand, column-major.
    #[allow(clippy::len_without_is_empty)] // a vector's length, and no container
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// y ← A·x.
    ///
    /// # Errors
    /// [`Error::Plan`] for vectors of another length, or operands that do not fit the plan.
    pub fn apply(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        let x = View::new(x, &self.shape, &self.strides, 0)?;
        let y = ViewMut::new(y, &self.shape, &self.strides, 0)?;
        let (before, after) = self.others.split_at(self.free);
        let operands: SmallVec<[View<'_, T>; 8]> =
            before.iter().copied().chain([x]).chain(after.iter().copied()).collect();
        Ok(self.einsum.run(T::ONE, &operands, self.conj, T::ZERO, y, self.threads)?)
    }
}
